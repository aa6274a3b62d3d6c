"""What each epoch came to, as rows of a file and as curves."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from inference.training.durable import write_whole

HISTORY, CURVES = "history.jsonl", "curves.svg"


@dataclass(frozen=True)
class Epoch:
    number: int  # from 1
    loss: float  # weighted, mean over the training slices
    selection_loss: float  # mean over patients, not weighted
    selection_auc: float  # of patients
    rate: float  # of learning, at its end
    slices_per_s: float
    waiting: float  # share of the time of training in which the network waited for slices

    @property
    def rank(self) -> tuple[float, float]:
        """Higher is better: equal AUCs are told apart by the loss."""
        return self.selection_auc, -self.selection_loss


def best(history: Sequence[Epoch]) -> Epoch | None:
    """The first of equals."""
    return max(history, key=lambda epoch: epoch.rank, default=None)


def write_history(folder: Path, history: Sequence[Epoch]) -> None:
    lines = "".join(json.dumps(asdict(epoch)) + "\n" for epoch in history)
    write_whole(folder / HISTORY, lambda partial: partial.write_text(lines))
    write_whole(folder / CURVES, lambda partial: partial.write_text(curves(history), encoding="utf-8"))


def curves(history: Sequence[Epoch]) -> str:
    """SVG: losses, AUC and rate by epoch, the best marked."""
    figure = Figure(figsize=(7, 7), layout="constrained")
    losses, auc, rate = figure.subplots(3, sharex=True)
    numbers = [epoch.number for epoch in history]
    losses.plot(numbers, [epoch.loss for epoch in history], ".-", label="training, weighted, slices")
    losses.plot(numbers, [epoch.selection_loss for epoch in history], ".-", label="selection, patients")
    losses.set_ylabel("loss")
    auc.plot(numbers, [epoch.selection_auc for epoch in history], ".-", label="selection, patients")
    auc.set_ylabel("AUC")
    rate.plot(numbers, [epoch.rate for epoch in history], ".-", label="of body, at the epoch's end")
    rate.set_ylabel("learning rate")
    rate.set_xlabel("epoch")
    rate.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (losses, auc, rate):
        _finish(axes, best(history))
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()


def _finish(axes: Axes, kept: Epoch | None) -> None:
    if kept:
        axes.axvline(kept.number, color="grey", linestyle=":", label=f"best: epoch {kept.number}")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
