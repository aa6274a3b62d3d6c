"""The network that a bundle describes, with its weights."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from inference.attention import Cbam, DynamicAttention, Fusion, SeDas, SqueezeExcitation
from inference.bundle import Architecture, BadBundle, Bundle
from inference.resnet import ResNet


def build(choices: Architecture) -> ResNet:
    """With fresh random weights."""

    def attention(channels: int) -> nn.Module:
        match choices.attention:
            case "none":
                return nn.Identity()
            case "se":
                return SqueezeExcitation(channels, choices.reduction)
            case "das":
                return DynamicAttention(channels)
            case "cbam":
                return Cbam(channels, choices.reduction)
            case "se_das":
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
    if problem := misfit(network.state_dict(), weights):
        raise BadBundle(f"{bundle.folder.name}: {problem}")
    if spoilt := sorted(name for name, value in weights.items() if not value.isfinite().all()):
        raise BadBundle(f"{bundle.folder.name}: weights that are not finite in {spoilt}")
    network.load_state_dict(weights)
    return network.eval()


def misfit(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str | None:
    """In which names and shapes two state dicts differ, in words; None where they fit."""
    missing = sorted(expected.keys() - given.keys())
    unexpected = sorted(given.keys() - expected.keys())
    reshaped = [
        f"{key} {tuple(given[key].shape)} for {tuple(expected[key].shape)}"
        for key in sorted(expected.keys() & given.keys())
        if given[key].shape != expected[key].shape
    ]
    if missing or unexpected or reshaped:
        return f"weights missing {missing}, unexpected {unexpected}, of another shape {reshaped}"
    return None


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BadBundle(f"{path.parent.name}/{path.name}: {error}") from error
