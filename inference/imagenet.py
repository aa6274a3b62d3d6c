"""ImageNet weights to begin a training with (the paper, section Network). The service needs none of this."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from torchvision.models import ResNet50_Weights  # type: ignore[import-untyped]

from inference.foreign_weights import BadWeights, read_weights
from inference.network import misfit
from inference.resnet import ResNet


def initial_weights(network: ResNet, source: Path | None) -> None:
    """Begins `network` with the weights of a plain ResNet, in place.

    `source` is a `.safetensors` file or a torchvision checkpoint, read without running code from it; None
    lets torchvision fetch its ResNet50 (IMAGENET1K_V2). A stem for one channel takes the sum over the three.
    The head (`fc`) and the attention modules keep their own start: ImageNet has 1000 classes and no gates.
    All else must fit, or `BadWeights` names what is missing, unexpected or of another shape.
    """
    given = {
        name: value for name, value in _state_dict(source).items() if _begins(name) or ".attention." in name
    }
    stem = given.get("conv1.weight")
    if network.channels == 1 and stem is not None and stem.ndim == 4:
        given["conv1.weight"] = stem.sum(dim=1, keepdim=True)
    expected = {name: value for name, value in network.state_dict().items() if _begins(name)}
    if problem := misfit(expected, given):
        raise BadWeights(f"{source.name if source else 'torchvision'}: {problem}")
    network.load_state_dict(given, strict=False)


def _begins(name: str) -> bool:
    """Whether ImageNet says it; how many batches a norm has seen is of no use to another training."""
    return not (name.startswith("fc.") or ".attention." in name or name.endswith("num_batches_tracked"))


def _state_dict(source: Path | None) -> Mapping[str, Tensor]:
    if source is None:
        fetched: Mapping[str, Tensor] = ResNet50_Weights.IMAGENET1K_V2.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
        return fetched
    return read_weights(source)
