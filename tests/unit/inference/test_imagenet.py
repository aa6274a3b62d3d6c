import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import ResNet, ResNet50_Weights  # type: ignore[import-untyped]
from torchvision.models.resnet import Bottleneck  # type: ignore[import-untyped]

from inference.bundle import Architecture
from inference.foreign_weights import BadWeights
from inference.imagenet import initial_weights
from inference.network import build

SMALL = Architecture(layers=(1, 1, 1, 1))


class Payload:
    """Creates the folder it names when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def theirs() -> dict[str, Tensor]:
    """A state dict as torchvision names it, of a ResNet with one block a stage."""
    torch.manual_seed(5)
    weights: dict[str, Tensor] = ResNet(Bottleneck, [1, 1, 1, 1]).state_dict()
    return {name: value for name, value in weights.items() if not name.endswith("num_batches_tracked")}


def saved(weights: dict[str, Tensor], path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return path


@pytest.mark.parametrize("name", ["resnet.pth", "resnet.safetensors"])
@pytest.mark.parametrize("attention", ["none", "se_das", "cbam"])
def test_all_but_head_and_attention_begins_as_imagenet(
    theirs: dict[str, Tensor], attention: str, name: str, tmp_path: Path
) -> None:
    network = build(SMALL.model_copy(update={"attention": attention}))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    initial_weights(network, saved(theirs, tmp_path / name))
    for key, value in network.state_dict().items():
        own = key.startswith("fc.") or ".attention." in key or key.endswith("num_batches_tracked")
        assert torch.equal(value, before[key] if own else theirs[key]), key


def test_a_stem_for_one_channel_begins_with_the_sum_over_three(
    theirs: dict[str, Tensor], tmp_path: Path
) -> None:
    network = build(SMALL.model_copy(update={"channels": 1}))
    initial_weights(network, saved(theirs, tmp_path / "resnet.pth"))
    assert torch.equal(network.conv1.weight, theirs["conv1.weight"].sum(dim=1, keepdim=True))


def test_torchvision_is_asked_for_weights_without_code(
    theirs: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, bool] = {}

    def fetch(_weights: ResNet50_Weights, **choices: bool) -> dict[str, Tensor]:
        asked.update(choices)
        return theirs

    monkeypatch.setattr(ResNet50_Weights, "get_state_dict", fetch)
    network = build(SMALL)
    initial_weights(network, None)
    assert asked == {"progress": False, "check_hash": True, "weights_only": True}
    assert torch.equal(network.conv1.weight, theirs["conv1.weight"])


def test_what_does_not_fit_is_refused_by_name(theirs: dict[str, Tensor], tmp_path: Path) -> None:
    wrong = theirs | {"layer9.0.conv1.weight": torch.zeros(1), "bn1.bias": torch.zeros(3)}
    del wrong["layer1.0.conv2.weight"]
    said = (
        r"resnet\.pth: weights missing \['layer1\.0\.conv2\.weight'\], "
        r"unexpected \['layer9\.0\.conv1\.weight'\], of another shape \['bn1\.bias \(3,\) for \(64,\)'\]"
    )
    network = build(SMALL)
    before = network.bn1.bias.clone()
    with pytest.raises(BadWeights, match=said):
        initial_weights(network, saved(wrong, tmp_path / "resnet.pth"))
    assert torch.equal(network.bn1.bias, before)


def test_attention_of_somebody_else_is_unexpected(theirs: dict[str, Tensor], tmp_path: Path) -> None:
    more = theirs | {"layer1.0.attention.gate.weight": torch.zeros(1)}
    with pytest.raises(BadWeights, match=r"unexpected \['layer1\.0\.attention\.gate\.weight'\]"):
        initial_weights(build(SMALL), saved(more, tmp_path / "resnet.pth"))


@pytest.mark.parametrize("name", ["weights.pth", "model.safetensors"])
@pytest.mark.parametrize("through_torch", [True, False])
def test_code_in_a_file_of_weights_is_refused_and_not_run(
    name: str, through_torch: bool, tmp_path: Path
) -> None:
    created = tmp_path / "created"
    content: dict[str, object] = {"conv1.weight": Payload(created)}
    if through_torch:
        torch.save(content, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(BadWeights, match=f"{name}: no weights that can be read safely"):
        initial_weights(build(SMALL), tmp_path / name)
    assert not created.exists()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04rubbish", b"\x80\x02."])
def test_rubbish_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(BadWeights, match=r"weights\.pth: no weights that can be read safely"):
        initial_weights(build(SMALL), tmp_path / "weights.pth")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "weights.pth")
    with pytest.raises(BadWeights, match="holds dict, not a state dict of tensors"):
        initial_weights(build(SMALL), tmp_path / "weights.pth")
