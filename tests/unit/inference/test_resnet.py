import torch
from torch import nn
from torchvision.models import resnet50  # type: ignore[import-untyped]

from inference.attention import SeDas
from inference.bundle import Architecture
from inference.network import build
from inference.resnet import ResNet


def plain(_channels: int) -> nn.Module:
    return nn.Identity()


def test_without_attention_it_is_torchvisions_resnet50() -> None:
    ours, theirs = ResNet(plain).eval(), resnet50(num_classes=1).eval()
    weights = theirs.state_dict()
    ours.load_state_dict(weights)
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(ours(image), theirs(image.expand(-1, 3, -1, -1))[:, 0], atol=1e-5)


def test_every_residual_block_of_the_default_has_both_modules() -> None:
    network = build(Architecture())
    blocks = [m for m in network.modules() if isinstance(m, SeDas)]
    assert len(blocks) == 3 + 4 + 6 + 3
    assert [b.das.gate.in_channels for b in blocks][:: len(blocks) - 1] == [256, 2048]


def test_strides_of_one_keep_the_last_map_fine() -> None:
    choices = Architecture(layers=(1, 1, 1, 1), strides=(1, 2, 1, 1), width=8, channels=1)
    assert build(choices).features(torch.rand(2, 1, 128, 128)).shape == (2, 256, 16, 16)


def test_one_logit_comes_of_each_image() -> None:
    network = build(Architecture(layers=(1, 1, 1, 1), width=4)).eval()
    images = torch.rand(3, 1, 64, 64)
    assert network(images).shape == (3,)
    assert torch.equal(network(images), network.head(network.features(images)))
