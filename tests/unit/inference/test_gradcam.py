import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import RawScoresOutputTarget
from torch import Tensor, nn

from inference.bundle import Architecture
from inference.findings import Label
from inference.gradcam import evidence, heat
from inference.network import build
from inference.resnet import ResNet


class OneColumn(nn.Module):
    """The network as pytorch_grad_cam wants it: images by classes."""

    def __init__(self, network: nn.Module, sign: float) -> None:
        super().__init__()
        self.network, self.sign = network, sign

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return self.sign * logits[:, None]


@pytest.mark.parametrize("label", Label)
def test_the_closed_form_is_pytorch_grad_cams(label: Label) -> None:
    torch.manual_seed(1)
    network = build(Architecture(layers=(1, 1, 1, 1), width=8, channels=1)).eval()
    image = torch.rand(1, 1, 96, 96)
    with torch.inference_mode():
        maps = evidence(network.features(image), network.fc.weight[0], (3, 3), stride=1).numpy()
    ours = heat(maps, label)[0]
    model = OneColumn(network, 1.0 if label is Label.PIMA else -1.0)
    with GradCAM(model=model, target_layers=[network.layer4[-1]]) as cam:
        cam.get_target_width_height = lambda _image: None  # at the map's own resolution
        theirs = cam(input_tensor=image, targets=[RawScoresOutputTarget()])[0]
    spread = ours - ours.min()
    assert ours.max() == 1.0
    assert np.allclose(spread / spread.max(), theirs, atol=1e-4)


def test_heat_sits_on_the_blob_that_decides() -> None:
    features = torch.zeros(1, 2, 8, 8)
    features[0, 0, 2, 5] = 3.0  # evidence for PIMA
    features[0, 1, 6, 1] = 2.0  # against
    maps = evidence(features, torch.tensor([1.0, -1.0]), (64, 64), stride=8).numpy()
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
        weights = network.fc.weight[0]
        caused = network.features(image) - network.features(torch.zeros_like(image))
        heat_map = evidence(caused, weights, (256, 256), network.stride)[0].double()
    rows, columns = np.mgrid[:256, :256]
    share = heat_map.numpy() / float(heat_map.sum())
    assert ((share * rows).sum(), (share * columns).sum()) == pytest.approx(spot, abs=0.5)


def test_one_scale_holds_for_all_images_of_a_study() -> None:
    maps = np.array([[[4.0, 0.0]], [[1.0, -9.0]]], dtype=np.float32)
    assert heat(maps, Label.PIMA).tolist() == [[[1.0, 0.0]], [[0.25, 0.0]]]


def test_no_evidence_is_no_heat() -> None:
    assert heat(np.full((1, 2, 2), -1.0, dtype=np.float32), Label.PIMA).max() == 0.0
