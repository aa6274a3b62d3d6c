import hashlib
import json
import math
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from inference.bundle import CARD, WEIGHTS, BadBundle, Calibration, demonstration, load_bundle
from inference.network import build, trained


class Payload:
    """Creates the folder it names when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


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
    assert bundle.identity.limits == bundle.card.limits
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


@pytest.mark.parametrize("through_torch", [True, False])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(folder: Path, through_torch: bool) -> None:
    created = folder / "created"
    if through_torch:
        torch.save(Payload(created), folder / WEIGHTS)
    else:
        (folder / WEIGHTS).write_bytes(pickle.dumps(Payload(created)))
    edit(folder, weights_sha256=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest())
    with pytest.raises(BadBundle, match=r"mine/model\.safetensors"):
        trained(load_bundle(folder))
    assert not created.exists()


@pytest.mark.parametrize("attention", ["none", "se", "das", "cbam", "se_das"])
def test_a_card_may_name_each_attention_of_the_ablation(folder: Path, attention: str) -> None:
    card = load_bundle(folder).card
    choices = card.architecture.model_copy(update={"attention": attention})
    exchange(folder, build(choices).state_dict())
    edit(folder, architecture=choices.model_dump(mode="json"))
    assert sum("attention" in name for name in trained(load_bundle(folder)).state_dict()) == {
        "none": 0, "se": 16, "das": 8, "cbam": 20, "se_das": 24
    }[attention]  # fmt: skip


FITTED = {"slope": 0.8, "intercept": -0.2, "patients": 64, "data": "the inner split"}


def test_without_a_calibration_there_is_none() -> None:
    assert load_bundle(demonstration()).card.calibration is None


def test_the_calibration_acts_on_the_logit_of_the_mean_probability(folder: Path) -> None:
    edit(folder, calibration=FITTED)
    calibration = load_bundle(folder).card.calibration
    assert calibration is not None
    for probability in (0.03, 0.5, 0.9):
        odds = math.exp(-0.2) * (probability / (1 - probability)) ** 0.8
        assert calibration.calibrated(probability) == pytest.approx(odds / (1 + odds))
    assert calibration.statement == (
        "Calibrated at patient level by logistic regression on 64 patients (the inner split): "
        "slope 0.8 and intercept -0.2 on the logit of the mean slice probability."
    )


def test_certainty_is_calibrated_to_a_finite_logit() -> None:
    calibration = Calibration(slope=1.0, intercept=0.0, patients=1, data="none")
    assert calibration.calibrated(0.0) == pytest.approx(1e-6)
    assert calibration.calibrated(1.0) == pytest.approx(1 - 1e-6)
    steep = Calibration(slope=1e6, intercept=0.0, patients=1, data="none")
    assert (steep.calibrated(0.0), steep.calibrated(1.0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    "mistake",
    [{"slope": 0.0}, {"slope": -1.0}, {"slope": math.inf}, {"intercept": math.nan}, {"patients": 0}],
)
def test_a_calibration_that_turns_the_order_or_is_not_finite_is_refused(mistake: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(mistake))):
        Calibration.model_validate(FITTED | mistake)
