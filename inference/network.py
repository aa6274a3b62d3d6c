"""The network that a bundle describes, with its weights."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from inference.attention import Fusion, SeDas
from inference.bundle import Architecture, BadBundle, Bundle
from inference.resnet import ResNet


def build(choices: Architecture) -> ResNet:
    def attention(channels: int) -> nn.Module:
        return SeDas(channels, choices.reduction, Fusion(choices.fusion))

    return ResNet(
        attention,
        layers=choices.layers,
        strides=choices.strides,
        width=choices.width,
        channels=choices.channels,
    )


def trained(bundle: Bundle) -> ResNet:
    """Ready to predict; refuses weights that do not fit, by name."""
    network = build(bundle.card.architecture)
    weights = _read(bundle.weights)
    _refuse_misfit(network.state_dict(), weights, bundle.folder.name)
    network.load_state_dict(weights)
    return network.eval()


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BadBundle(f"{path.parent.name}/{path.name}: {error}") from error


def _refuse_misfit(expected: dict[str, Tensor], given: dict[str, Tensor], name: str) -> None:
    missing = sorted(expected.keys() - given.keys())
    unexpected = sorted(given.keys() - expected.keys())
    reshaped = [
        f"{key} {tuple(given[key].shape)} for {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & given.keys())
        if given[key].shape != expected[key].shape
    ]
    if missing or unexpected or reshaped:
        raise BadBundle(
            f"{name}: weights missing {missing}, unexpected {unexpected}, of another shape {reshaped}"
        )
