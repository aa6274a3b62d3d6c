import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models import ResNet  # type: ignore[import-untyped]
from torchvision.models.resnet import Bottleneck  # type: ignore[import-untyped]

from inference.bundle import BadBundle, Card
from inference.classifier import Backend, Classifier
from inference.foreign_weights import BadWeights
from inference.network import build
from inference.training.foreign import import_bundle, one_logit, read_card
from inference.training.key_map import BadKeyMap, KeyMap, read_key_map

CARD = """
name = "theirs"
version = "7"
manufacturer = "A group elsewhere"
threshold = 0.4
training_data = "443 patients of one centre"
intended_use = "Research."
limits = ["Not validated here."]
licence = "CC BY-NC 4.0"
statements = ["Imported."]
metrics = []
classes = [{label = "PIMA", meaning = "Mucinous adenocarcinoma"}, {label = "IPN", meaning = "Inflammatory nodule"}]

[architecture]
attention = "none"
layers = [1, 1, 1, 1]

[preprocessing]
size = 64
pixel_mm = 5.6
"""
KEY_MAP = r"""
drop = ["^aux\\."]
[prefix]
"backbone." = ""
[pattern]
'^head\.' = 'fc.'
'^stage(\d)_block(\d)\.' = 'layer\1.\2.'
"""


class Payload:
    """Creates the folder it names when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    (tmp_path / "card.toml").write_text(CARD)
    return read_card(tmp_path / "card.toml")


@pytest.fixture
def key_map(tmp_path: Path) -> KeyMap:
    (tmp_path / "map.toml").write_text(KEY_MAP)
    return read_key_map(tmp_path / "map.toml")


def theirs(classes: int = 1) -> ResNet:
    torch.manual_seed(6)
    return ResNet(Bottleneck, [1, 1, 1, 1], num_classes=classes).eval()


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """As somebody else's training names and wraps them."""
    names = {
        name: "module.backbone."
        + re.sub(r"^layer(\d)\.(\d)\.", r"stage\1_block\2.", name).replace("fc.", "head.")
        for name in weights
    }
    counted = {new: weights[name] for name, new in names.items() if "num_batches" not in name}
    return counted | {"module.aux.weight": torch.zeros(3)}


def saved(content: object, folder: Path) -> Path:
    torch.save(content, folder / "theirs.pth")
    return folder / "theirs.pth"


@pytest.mark.parametrize("nest", ["state_dict", "model", None])
def test_a_renamed_torchvision_network_scores_as_it_did(
    tmp_path: Path, card: Card, key_map: KeyMap, nest: str | None
) -> None:
    network = theirs()
    weights = renamed(network.state_dict())
    content = {nest: weights, "epoch": 3} if nest else weights
    bundle = import_bundle(saved(content, tmp_path), tmp_path / "out", card, key_map)
    images = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        expected = torch.sigmoid(network(images.expand(-1, 3, -1, -1)))[:, 0].numpy()
    given = Classifier(bundle, backend=Backend.EAGER)(images[:, 0].numpy())
    assert given.probabilities == pytest.approx(expected, abs=1e-5)
    assert bundle.card.threshold == 0.4
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bundle.json", "model.safetensors"}


def test_two_logits_become_their_difference(tmp_path: Path, card: Card) -> None:
    network = theirs(classes=2)
    bundle = import_bundle(
        saved(network.state_dict(), tmp_path), tmp_path / "out", card, KeyMap(), two_logits=True
    )
    images = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        expected = torch.softmax(network(images.expand(-1, 3, -1, -1)), dim=1)[:, 1].numpy()
    given = Classifier(bundle, backend=Backend.EAGER)(images[:, 0].numpy())
    assert given.probabilities == pytest.approx(expected, abs=1e-5)


def test_two_logits_are_not_guessed_and_one_is_not_halved(tmp_path: Path, card: Card) -> None:
    with pytest.raises(BadWeights, match=r"fc\.weight \(2, 2048\) for \(1, 2048\)"):
        import_bundle(saved(theirs(2).state_dict(), tmp_path), tmp_path / "out", card, KeyMap())
    with pytest.raises(BadWeights, match="two logits are expected of"):
        one_logit(theirs(1).state_dict())
    with pytest.raises(BadWeights, match="two logits are expected of"):
        one_logit({})


def test_a_squeeze_by_one_by_one_convolutions_is_ours(tmp_path: Path, card: Card) -> None:
    choices = card.architecture.model_copy(update={"attention": "se_das"})
    ours = build(choices).state_dict()
    given = {
        name: value[:, :, None, None] if ".se." in name and value.ndim == 2 else value
        for name, value in ours.items()
    }
    made = import_bundle(
        saved(given, tmp_path), tmp_path / "out", card.model_copy(update={"architecture": choices}), KeyMap()
    )
    assert np.isfinite(
        Classifier(made, backend=Backend.EAGER)(np.zeros((1, 64, 64), np.float32)).probabilities
    )


def test_what_does_not_fit_is_refused_by_name_and_nothing_is_left(tmp_path: Path, card: Card) -> None:
    weights = theirs().state_dict()
    wrong = weights | {"layer9.weight": torch.zeros(1), "bn1.bias": torch.zeros(3)}
    del wrong["layer1.0.conv2.weight"]
    said = (
        r"theirs\.pth: weights missing \['layer1\.0\.conv2\.weight'\], unexpected \['layer9\.weight'\], "
        r"of another shape \['bn1\.bias \(3,\) for \(64,\)'\]"
    )
    with pytest.raises(BadWeights, match=said):
        import_bundle(saved(wrong, tmp_path), tmp_path / "out", card, KeyMap())
    assert {path.name for path in tmp_path.iterdir()} == {"card.toml", "theirs.pth"}


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path, card: Card) -> None:
    weights = theirs().state_dict()
    weights["bn1.bias"][2] = float("nan")
    with pytest.raises(BadWeights, match=r"not finite in \['bn1\.bias'\]"):
        import_bundle(saved(weights, tmp_path), tmp_path / "out", card, KeyMap())


def test_weights_that_overflow_on_a_slice_are_refused(tmp_path: Path, card: Card) -> None:
    weights = theirs().state_dict()
    weights["fc.weight"] = torch.full_like(weights["fc.weight"], 3e38)
    with pytest.raises(BadWeights, match="one slice was tried"):
        import_bundle(saved(weights, tmp_path), tmp_path / "out", card, KeyMap())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("through_torch", [True, False])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, card: Card, through_torch: bool) -> None:
    content = {"state_dict": {"conv1.weight": Payload(tmp_path / "created")}}
    path = saved(content, tmp_path)
    if not through_torch:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(BadWeights, match="no weights that can be read safely"):
        import_bundle(path, tmp_path / "out", card, KeyMap())
    assert not (tmp_path / "created").exists()
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_kept(tmp_path: Path, card: Card) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(BadBundle, match="is there already"):
        import_bundle(saved({}, tmp_path), tmp_path / "out", card, KeyMap())


def test_all_mistakes_of_a_card_are_named(tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text(
        CARD.replace("threshold = 0.4", "threshold = 4").replace("licence", "license")
    )
    with pytest.raises(BadBundle) as raised:
        read_card(tmp_path / "card.toml")
    for name in ("threshold", "licence", "license"):
        assert name in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[pattern]\n'(' = 'a'", "pattern"),
        ("prefixes = 1", "prefixes"),
        ("=", "not TOML"),
        (None, "No such file"),
    ],
)
def test_a_key_map_that_is_none_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "map.toml").write_text(text)
    with pytest.raises(BadKeyMap, match=said):
        read_key_map(tmp_path / "map.toml")


def test_two_weights_of_one_name_are_refused() -> None:
    with pytest.raises(BadKeyMap, match=r"several weights become \['a'\]"):
        KeyMap(prefix={"x.": ""}).mapped({"x.a": torch.zeros(1), "a": torch.zeros(1)})


@pytest.mark.parametrize("group", [r"\2", r"\g<name>"])
def test_a_group_that_a_pattern_does_not_have_is_a_bad_key_map(tmp_path: Path, group: str) -> None:
    (tmp_path / "map.toml").write_text(f"[pattern]\n'^(a)' = '{group}'\n")
    with pytest.raises(BadKeyMap, match="pattern"):
        read_key_map(tmp_path / "map.toml").mapped({"a": torch.zeros(1)})
