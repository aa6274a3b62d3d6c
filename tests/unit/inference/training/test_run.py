from pathlib import Path
from typing import Any

import pytest

from inference.training.run import RUN, OtherTraining, Run, claim
from tests.trainings import tiny_recipe

BEGUN = "0123456789ab" + 52 * "0"


def run(folder: Path, digest: str = BEGUN, **changes: Any) -> Run:
    return Run(recipe=tiny_recipe(folder, **changes), dataset_digest=digest)


def test_the_same_recipe_goes_on_wherever_its_data_have_moved(tmp_path: Path) -> None:
    claim(tmp_path, run(tmp_path), begun=False)
    moved = tiny_recipe(tmp_path / "elsewhere", hardware={"threads": 1, "workers": 2})
    claim(tmp_path, Run(recipe=moved, dataset_digest=BEGUN), begun=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 4}, "seed was 3 and is 4"),
        (
            {"optimiser": {"epochs": 4, "batch_size": 6, "rate": 1e-3, "head_rate": 1e-2}},
            "optimiser.rate was 0.01",
        ),
        ({"hardware": {"threads": 2}}, "hardware.threads was 1 and is 2"),
        ({"digest": "f" * 64}, "dataset digest was 0123456789ab and is ffffffffffff"),
    ],
)
def test_a_change_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    claim(tmp_path, run(tmp_path), begun=False)
    with pytest.raises(OtherTraining, match=said.replace(".", r"\.")):
        claim(tmp_path, run(tmp_path, **changes), begun=True)


def test_before_an_epoch_has_ended_anything_may_change(tmp_path: Path) -> None:
    claim(tmp_path, run(tmp_path), begun=False)
    claim(tmp_path, run(tmp_path, seed=4), begun=False)
    claim(tmp_path, run(tmp_path, seed=4), begun=True)


def test_a_damaged_note_of_what_was_begun_is_named(tmp_path: Path) -> None:
    (tmp_path / RUN).write_text("{}")
    with pytest.raises(OtherTraining, match=f"{RUN}: of another version or damaged"):
        claim(tmp_path, run(tmp_path), begun=True)
