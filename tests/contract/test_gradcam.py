"""The closed form and pytorch-grad-cam, on the same network, layer and slices.

Compared are the maps themselves, signed and at the layer's own resolution, each divided by the largest
magnitude of pytorch-grad-cam's; and once pytorch-grad-cam's own picture, which cuts and scales by itself.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import RawScoresOutputTarget
from torch import Tensor, nn

from inference.bundle import Architecture, Preprocessing
from inference.findings import Label
from inference.gradcam import Explained, heat
from inference.gradcam_layers import NoSuchLayer, gradient_map, layer_map
from inference.network import build
from inference.preprocess import Slab, frame, network_input
from inference.resnet import ResNet
from inference.threshold import ThresholdSegmenter
from inference.volume import load

VARIANTS: tuple[Architecture, ...] = (
    *(
        Architecture(layers=(1, 1, 1, 1), width=8, channels=1, attention=name)
        for name in ("none", "se", "das", "cbam")
    ),
    *(Architecture(layers=(1, 1, 1, 1), width=8, channels=1, fusion=name) for name in ("sum", "max", "mean")),
    Architecture(layers=(1, 2, 1, 2), strides=(1, 2, 1, 1), width=4, channels=3),
)


class OneColumn(nn.Module):
    """The network as pytorch-grad-cam's own call wants it: images by classes."""

    def __init__(self, network: nn.Module, sign: float) -> None:
        super().__init__()
        self.network, self.sign = network, sign

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return self.sign * logits[:, None]


def named(choices: Architecture) -> str:
    return f"{choices.attention}-{choices.fusion}-{choices.channels}"


@pytest.fixture(params=VARIANTS, ids=named)
def network(request: pytest.FixtureRequest) -> ResNet:
    torch.manual_seed(1)
    return build(request.param).eval()


@pytest.fixture(scope="module")
def real_slices(real_data: Path) -> Tensor:
    """Three slices through the tumour, as the service prepares them."""
    series = real_data / "chest" / "lung_dx_A0002" / "B70f"
    volume = load(sorted(path for path in series.iterdir() if path.is_file()))
    lungs = ThresholdSegmenter()(volume)
    numbers = Preprocessing()
    place = frame(volume, lungs, numbers)
    picked = (len(volume.hu) // 3, len(volume.hu) // 2, 2 * len(volume.hu) // 3)
    slices = [network_input(volume.hu, lungs, Slab((k,)), place, numbers) for k in picked]
    return torch.from_numpy(np.stack(slices))[:, None]


def largest_difference(network: ResNet, images: Tensor) -> float:
    with torch.inference_mode():
        closed: Tensor = Explained(network, network.layer4[-1])(images)[1]
    by_gradients = gradient_map(network, network.layer4[-1], images)
    scale = by_gradients.abs().amax(dim=(1, 2), keepdim=True)
    assert scale.min() > 0
    return float(((closed - by_gradients) / scale).abs().max())


def test_the_closed_form_is_pytorch_grad_cams_on_random_slices(network: ResNet) -> None:
    assert largest_difference(network, torch.rand(2, 1, 96, 96)) <= 1e-4


@pytest.mark.realdata
def test_the_closed_form_is_pytorch_grad_cams_on_real_slices(network: ResNet, real_slices: Tensor) -> None:
    assert real_slices.std() > 0.1
    assert largest_difference(network, real_slices) <= 1e-4


@pytest.mark.parametrize("label", Label)
def test_the_heat_is_the_picture_that_pytorch_grad_cam_draws(network: ResNet, label: Label) -> None:
    image = torch.rand(1, 1, 96, 96)
    with torch.inference_mode():
        ours = heat(Explained(network)(image)[1].numpy(), label)[0]
    model = OneColumn(network, 1.0 if label is Label.PIMA else -1.0)
    with GradCAM(model=model, target_layers=[network.layer4[-1]]) as cam:
        cam.get_target_width_height = lambda _image: None  # at the map's own resolution
        theirs = cam(input_tensor=image, targets=[RawScoresOutputTarget()])[0]
    spread = ours - ours.min()  # it draws the smallest as 0, we draw no evidence as 0
    assert np.allclose(spread / max(spread.max(), 1e-7), theirs, rtol=0, atol=1e-4)


def test_the_layer_whose_output_the_head_pools_is_the_last_block(network: ResNet) -> None:
    image = torch.rand(1, 1, 64, 64)
    outputs: list[Tensor] = []
    handle = network.layer4[-1].register_forward_hook(lambda _block, _inputs, output: outputs.append(output))
    with torch.inference_mode():
        features = network.features(image)
    handle.remove()
    assert torch.equal(outputs[0], features)


@pytest.mark.parametrize("stage", ["layer1", "layer2", "layer3", "layer4"])
def test_every_layer_has_a_map_at_its_own_resolution(stage: str) -> None:
    torch.manual_seed(1)
    network = build(VARIANTS[4]).eval()
    images = torch.rand(2, 1, 64, 64)
    block = getattr(network, stage)[-1]
    outputs: list[Tensor] = []
    handle = block.register_forward_hook(lambda _block, _inputs, output: outputs.append(output))
    logits = network(images)
    handle.remove()
    (gradient,) = torch.autograd.grad(logits.sum(), outputs[0])
    expected = (gradient.mean(dim=(2, 3), keepdim=True) * outputs[0]).sum(dim=1).detach()
    maps = layer_map(network, block, images)
    assert torch.allclose(maps, expected, atol=1e-6)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_what_gives_no_map_is_refused() -> None:
    network = build(VARIANTS[4])
    with pytest.raises(NoSuchLayer, match="Bottleneck is not a layer of this network"):
        layer_map(network, build(VARIANTS[4]).layer3[-1], torch.rand(1, 1, 64, 64))
    with pytest.raises(NoSuchLayer, match="Linear gives no map of places"):
        layer_map(network, network.fc, torch.rand(1, 1, 64, 64))
