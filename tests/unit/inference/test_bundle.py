import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.bundle import CARD, WEIGHTS, BadBundle, demonstration, load_bundle
from inference.network import trained


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(demonstration(), tmp_path / "mine"))


def edit(folder: Path, **values: object) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps(card | values))


def exchange(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    save_file(weights, folder / WEIGHTS)
    edit(folder, weights_sha256=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest())


def test_the_demonstration_says_what_it_is() -> None:
    bundle = load_bundle(demonstration())
    assert bundle.identity.statements == ("Demonstration model, no clinical meaning.",)
    assert bundle.identity.digest == hashlib.sha256((demonstration() / CARD).read_bytes()).hexdigest()
    assert {"AUC", "sensitivity", "specificity", "accuracy"} < {m.name for m in bundle.card.metrics}
    assert bundle.weights.stat().st_size < 3_000_000


def test_altered_weights_are_refused(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(BadBundle, match=r"sha256 is .*, the card says"):
        load_bundle(folder)


def test_another_card_is_another_algorithm(folder: Path) -> None:
    before = load_bundle(folder).identity.digest
    edit(folder, threshold=0.4)
    assert load_bundle(folder).identity.digest != before


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"threshold": 2}, "threshold: Input should be less than or equal to 1"),
        ({"treshold": 0.5}, "treshold: Extra inputs are not permitted"),
        ({"architecture": {"width": 0}}, "architecture.width"),
        ({"weights_sha256": "abc"}, "weights_sha256"),
    ],
)
def test_mistakes_in_the_card_are_named(folder: Path, values: dict[str, object], said: str) -> None:
    edit(folder, **values)
    with pytest.raises(BadBundle, match=said.replace(".", r"\.")):
        load_bundle(folder)


@pytest.mark.parametrize("name", [CARD, WEIGHTS])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BadBundle, match=f"No such file or directory: {name}"):
        load_bundle(folder)


def test_weights_that_do_not_fit_are_refused_by_name(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    weights["fc.extra"] = weights.pop("fc.bias")
    exchange(folder, weights)
    with pytest.raises(BadBundle, match=r"missing \['fc.bias'\], unexpected \['fc.extra'\]"):
        trained(load_bundle(folder))


def test_weights_of_another_shape_are_refused_by_name(folder: Path) -> None:
    exchange(folder, load_file(folder / WEIGHTS) | {"fc.bias": torch.zeros(2)})
    with pytest.raises(BadBundle, match=r"of another shape \['fc.bias \(2,\) for \(1,\)'\]"):
        trained(load_bundle(folder))


def test_what_is_no_safetensors_file_is_refused(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"pickled")
    edit(folder, weights_sha256=hashlib.sha256(b"pickled").hexdigest())
    with pytest.raises(BadBundle, match=r"model\.safetensors"):
        trained(load_bundle(folder))


def test_reading_the_card_needs_no_torch() -> None:
    code = "import sys, inference.bundle as b; b.load_bundle(b.demonstration()); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
