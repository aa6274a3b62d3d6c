import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inference.bundle import Architecture
from inference.findings import Label
from inference.gradcam import Explained, NoClosedForm, enlarged, heat
from inference.network import build
from inference.resnet import ResNet

SMALL = Architecture(layers=(1, 1, 1, 1), width=8, channels=1)


class MaxPooled(ResNet):
    """A head whose gradient is not the same at every place."""

    def head(self, features: Tensor) -> Tensor:
        logits: Tensor = self.fc(features.amax(dim=(2, 3)))
        return logits[:, 0]


def last_map(features: Tensor, weights: Tensor) -> Tensor:
    """The closed form for features that no network made."""
    return torch.einsum("nkyx,k->nyx", features, weights) / (features.shape[2] * features.shape[3])


def test_one_pass_gives_the_logit_and_the_map_that_explains_it() -> None:
    torch.manual_seed(1)
    network = build(SMALL).eval()
    images = torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        logits, maps = Explained(network)(images)
        assert torch.allclose(logits, network(images), atol=1e-6)
        assert torch.allclose(maps, last_map(network.features(images), network.fc.weight[0]), atol=1e-6)
        # All places together are the logit without its bias: nothing of it goes unexplained.
        assert torch.allclose(maps.sum(dim=(1, 2)) + network.fc.bias, logits, atol=1e-6)


def test_another_layer_than_the_last_block_has_no_closed_form() -> None:
    network = build(SMALL)
    Explained(network, network.layer4[-1])
    for layer in (network.layer3[-1], network.layer4, build(SMALL).layer4[-1]):
        with pytest.raises(NoClosedForm, match="is not the last block"):
            Explained(network, layer)


def test_another_head_has_no_closed_form() -> None:
    two_layers, two_logits, pooled_otherwise = build(SMALL), build(SMALL), MaxPooled(lambda _c: nn.Identity())
    two_layers.fc = nn.Sequential(nn.Linear(256, 8), nn.ReLU(), nn.Linear(8, 1))  # type: ignore[assignment]
    two_logits.fc = nn.Linear(256, 2)
    for network in (two_layers, two_logits, pooled_otherwise):
        with pytest.raises(NoClosedForm, match="is not average pooling and one linear layer to one logit"):
            Explained(network)


def test_heat_sits_on_the_blob_that_decides() -> None:
    features = torch.zeros(1, 2, 8, 8)
    features[0, 0, 2, 5] = 3.0  # evidence for PIMA
    features[0, 1, 6, 1] = 2.0  # against
    maps = enlarged(last_map(features, torch.tensor([1.0, -1.0])), (64, 64), stride=8).numpy()
    pima, ipn = heat(maps, Label.PIMA)[0], heat(maps, Label.IPN)[0]
    rows, columns = np.nonzero(pima > 0.5)
    assert (rows.mean(), columns.mean()) == (2 * 8, 5 * 8)
    assert pima[40:].max() == 0
    assert ipn[:24].max() == 0
    assert pima.max() == ipn.max() == 1.0


@pytest.mark.parametrize("strides", [(1, 2, 2, 2), (1, 2, 1, 1)])
@pytest.mark.parametrize("spot", [(96, 160), (128, 64)])
def test_evidence_lies_where_the_image_caused_it(
    strides: tuple[int, int, int, int], spot: tuple[int, int]
) -> None:
    network = ResNet(lambda _channels: nn.Identity(), layers=(1, 1, 1, 1), strides=strides, width=4).eval()
    image = torch.zeros(1, 1, 256, 256)
    image[0, 0, spot[0], spot[1]] = 1.0
    with torch.inference_mode():
        for parameter in network.parameters():
            parameter.fill_(0.1)  # every kernel is a symmetric blur
        explained = Explained(network)
        caused = explained(image)[1] - explained(torch.zeros_like(image))[1]
        heat_map = enlarged(caused, (256, 256), network.stride)[0].double()
    rows, columns = np.mgrid[:256, :256]
    share = heat_map.numpy() / float(heat_map.sum())
    assert ((share * rows).sum(), (share * columns).sum()) == pytest.approx(spot, abs=0.5)


def test_one_scale_holds_for_all_images_of_a_study() -> None:
    maps = np.array([[[4.0, 0.0]], [[1.0, -9.0]]], dtype=np.float32)
    assert heat(maps, Label.PIMA).tolist() == [[[1.0, 0.0]], [[0.25, 0.0]]]


def test_no_evidence_is_no_heat() -> None:
    assert heat(np.full((1, 2, 2), -1.0, dtype=np.float32), Label.PIMA).max() == 0.0
