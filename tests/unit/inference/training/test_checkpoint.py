import os
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.training.checkpoint import CHECKPOINT, BadCheckpoint, Checkpoint, load, save
from inference.training.history import CURVES, HISTORY, Epoch, best, curves, write_history

HISTORIES = tuple(
    Epoch(number, 1.0 / number, loss, auc, 1e-3, 10.0, 0.01)
    for number, loss, auc in ((1, 0.6, 0.8), (2, 0.7, 0.9), (3, 0.5, 0.9), (4, 0.5, 0.9))
)


class Payload:
    """Creates the folder it names when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.rand(3, 2))
    optimiser = torch.optim.AdamW([parameter])
    parameter.sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    weights = {"a": parameter.detach()}
    save(Checkpoint(weights, optimiser.state_dict(), {"scale": 2.0}, weights, HISTORIES), tmp_path)
    back = load(tmp_path)
    assert back is not None
    assert torch.equal(back.network["a"], weights["a"])
    assert torch.equal(back.optimiser["state"][0]["exp_avg"], optimiser.state_dict()["state"][0]["exp_avg"])
    assert back.scaler == {"scale": 2.0}
    assert back.history == HISTORIES
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_where_no_epoch_has_ended_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save({"history": Payload(tmp_path / "created")}, tmp_path / CHECKPOINT)
    with pytest.raises(BadCheckpoint, match="UnpicklingError; remove it to begin anew"):
        load(tmp_path)
    assert not (tmp_path / "created").exists()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04rubbish"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(BadCheckpoint, match=CHECKPOINT):
        load(tmp_path)


def test_the_best_epoch_has_the_highest_auc_then_the_lowest_loss_then_came_first() -> None:
    kept = best(HISTORIES)
    assert kept is not None
    assert kept.number == 3
    assert best(()) is None


def test_the_history_is_a_line_for_each_epoch_and_the_curves_mark_the_best(tmp_path: Path) -> None:
    write_history(tmp_path, HISTORIES)
    assert len((tmp_path / HISTORY).read_text().splitlines()) == 4
    drawn = (tmp_path / CURVES).read_text()
    assert drawn.startswith("<?xml")
    assert "best: epoch 3" in drawn
    assert "learning rate" in drawn
    assert curves(()).startswith("<?xml")
