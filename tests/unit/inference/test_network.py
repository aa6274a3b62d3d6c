"""Facts of every network of the ablation that can be worked out without it."""

from typing import Literal, get_args

import pytest
import torch
from torch import nn
from torchvision.models import resnet50  # type: ignore[import-untyped]

from inference.bundle import Architecture
from inference.network import build
from inference.resnet import ResNet, grey

Name = Literal["none", "se", "das", "cbam", "se_das"]
NAMES: tuple[Name, ...] = get_args(Name)
SMALL = Architecture(layers=(1, 2, 1, 1), width=8)
FULL = Architecture()


def expected_parameters(choices: Architecture) -> int:
    """By the sizes of the matrices, written down apart from the code."""
    width, total = choices.width, 49 * choices.channels * choices.width + 2 * choices.width
    inputs = width
    for stage, blocks in enumerate(choices.layers):
        inner, outputs = width * 2**stage, 4 * width * 2**stage
        for block in range(blocks):
            total += inputs * inner + 9 * inner**2 + inner * outputs  # the three convolutions
            total += 2 * inner + 2 * inner + 2 * outputs  # their norms
            total += inputs * outputs + 2 * outputs if block == 0 else 0  # the projection and its norm
            total += expected_in_attention(choices, outputs)
            inputs = outputs
    return total + inputs + 1


def expected_in_attention(choices: Architecture, channels: int) -> int:
    hidden = max(channels // choices.reduction, 1)
    perceptron = channels * hidden + hidden + hidden * channels + channels
    return {
        "none": 0,
        "se": perceptron,
        "das": channels + 1,
        "cbam": perceptron + 2 * 7 * 7,
        "se_das": perceptron + channels + 1,
    }[choices.attention]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def with_attention(choices: Architecture, name: Name) -> Architecture:
    return choices.model_copy(update={"attention": name})


def lively(choices: Architecture) -> ResNet:
    """Of random weights and norms, so that nothing vanishes."""
    torch.manual_seed(3)
    network = build(choices)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            module.running_var.uniform_(0.5, 1.5) if module.running_var is not None else None
    return network.eval()


@pytest.mark.parametrize("choices", [FULL, SMALL, SMALL.model_copy(update={"channels": 1, "reduction": 4})])
@pytest.mark.parametrize("name", NAMES)
def test_each_variant_has_as_many_parameters_as_its_matrices(choices: Architecture, name: Name) -> None:
    with torch.device("meta"):
        network = build(with_attention(choices, name))
    assert count(network) == expected_parameters(with_attention(choices, name))


def test_without_attention_it_has_as_many_parameters_as_torchvisions_resnet50() -> None:
    with torch.device("meta"):
        assert count(build(with_attention(FULL, "none"))) == count(resnet50(num_classes=1)) == 23_510_081


@pytest.mark.parametrize(("fusion", "scale"), [("sum", 1.0), ("max", 0.5), ("mean", 0.5)])
def test_gates_of_zero_leave_the_plain_network_with_its_residuals_scaled(fusion: str, scale: float) -> None:
    network = lively(SMALL.model_copy(update={"fusion": fusion}))
    plain = build(with_attention(SMALL, "none")).eval()
    plain.load_state_dict({k: v for k, v in network.state_dict().items() if ".attention." not in k})
    for name, parameter in network.named_parameters():
        if ".attention." in name:
            nn.init.zeros_(parameter)
    images = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        for name, parameter in plain.named_parameters():
            if ".bn3." in name:  # the last thing before the gates
                parameter.mul_(scale)
        assert torch.allclose(network(images), plain(images), rtol=1e-5, atol=1e-6)
        assert network(images).std() > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_logit_does_not_depend_on_the_images_beside_it(name: Name) -> None:
    network = lively(with_attention(SMALL, name))
    images = torch.rand(5, 1, 64, 64) * torch.linspace(0, 4, 5)[:, None, None, None]
    with torch.inference_mode():
        together = network(images)
        for size in (1, 2, 3):
            parts = torch.cat([network(batch) for batch in torch.split(images, size)])
            assert torch.allclose(parts, together, rtol=0, atol=1e-5)
    assert together.std() > 1e-4


def test_three_equal_channels_are_one_with_the_sum_of_the_kernels() -> None:
    network = lively(SMALL)
    images = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(grey(network)(images), network(images), rtol=1e-5, atol=1e-6)
    assert grey(network).conv1.weight.shape == (8, 1, 7, 7)
    assert network.conv1.weight.shape == (8, 3, 7, 7)
