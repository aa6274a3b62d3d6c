"""Trainings on a terminal: their progress, an end by Ctrl-C, and what went wrong in one line."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from inference.training.history import Epoch
    from inference.training.watch import Batch, Watch


class CannotTrain(ValueError):
    """A training that cannot begin, or cannot go on, in words."""


class Course:
    """The trainings of one command, one after the other."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._signal: int | None = None  # the first that asked to stop

    @contextmanager
    def shown(self, again: str) -> Iterator[None]:
        """`again` is the command that goes on after a stop."""
        from inference.dataset.folder import BadDataset
        from inference.foreign_weights import BadWeights
        from inference.training.checkpoint import BadCheckpoint
        from inference.training.fit import Diverged, Stopped
        from inference.training.recipe import BadRecipe
        from inference.training.run import OtherTraining
        from inference.training.train import NotEnoughMemory

        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with self._progress:
                yield
        except Stopped as error:
            self._progress.console.print(
                f"{error}. The last whole epoch is kept: {again} goes on from there."
            )
            raise typer.Exit(128 + (self._signal or signal.SIGTERM)) from None
        except (
            BadCheckpoint, BadDataset, BadRecipe, BadWeights, Diverged, NotEnoughMemory, OtherTraining,
        ) as error:  # fmt: skip
            raise CannotTrain(str(error)) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def watch(self, epochs: int, name: str = "") -> "Watch":
        """For one training: its batches as a bar, and a line for each epoch that has ended."""
        from inference.training.watch import Watch

        task = self._progress.add_task(f"{name}reading the dataset", total=None)

        def on_batch(batch: "Batch") -> None:
            self._progress.update(
                task,
                description=f"{name}epoch {batch.epoch} of {epochs}, loss {batch.loss:.4f}",
                completed=batch.number,
                total=batch.count,
            )

        def on_epoch(epoch: "Epoch") -> None:
            self._progress.console.print(
                f"{name}epoch {epoch.number}: loss {epoch.loss:.4f}, selection loss {epoch.selection_loss:.4f},"
                f" AUC {epoch.selection_auc:.4f}, {epoch.slices_per_s:.1f} slices/s"
            )

        return Watch(on_batch, on_epoch, lambda: self._signal is not None)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        """The first ends the epoch at its next batch, a second one everything: what is on the disk is whole."""
        if self._signal:
            raise KeyboardInterrupt
        self._signal = number
