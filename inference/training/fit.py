"""Training by weighted binary cross-entropy; the weights that rank the selection patients best are kept.

Start at `fit`. Whatever an epoch draws follows from seed and epoch, so that one taken up after a kill gives the same
weights to the last bit on one machine with as many threads.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from inference.bundle import CERTAIN
from inference.dataset.folder import Dataset
from inference.dataset.manifest import Split
from inference.evaluation.discrimination import auc
from inference.evaluation.estimate import computed
from inference.findings import pool
from inference.resnet import ResNet
from inference.training import checkpoint as checkpoints
from inference.training.augment import augmented
from inference.training.checkpoint import Checkpoint
from inference.training.hardware import fabric_for, loader_for, repeatable
from inference.training.history import Epoch, best, write_history
from inference.training.optimiser import optimiser_for, share_of_rate
from inference.training.recipe import BadRecipe, Recipe
from inference.training.slices import Batches, Slices, chance, images_of
from inference.training.watch import Batch, Watch


class Diverged(ArithmeticError):
    """A loss or a score that is no finite number."""


class Stopped(Exception):
    """A training was asked to stop; what its last checkpoint holds is kept."""


@dataclass(frozen=True, eq=False)
class Fitted:
    weights: Mapping[str, Tensor]  # of the best epoch
    best: Epoch
    history: tuple[Epoch, ...]


def fit(network: ResNet, dataset: Dataset, split: Split, recipe: Recipe, watch: Watch) -> Fitted | None:
    """Trains to the end, from the checkpoint in `recipe.out` if there is one. None in all processes but the first."""
    with repeatable(recipe.hardware):
        course = Course(network, dataset, split, recipe, watch)
        course.take_up()
        while not _over(course.history, recipe):
            course.epoch(len(course.history) + 1)
        course.fabric.barrier()
    kept = best(course.history)
    return Fitted(course.weights, kept, course.history) if kept and course.fabric.is_global_zero else None


@dataclass(frozen=True)
class Pass:
    """Over all training slices."""

    loss: float
    slices_per_s: float
    waiting: float  # share of its time in which the network waited for slices


class Course:
    """One training in this process: what changes from epoch to epoch."""

    def __init__(self, network: ResNet, dataset: Dataset, split: Split, recipe: Recipe, watch: Watch) -> None:
        self.dataset, self.split, self.recipe, self.watch = dataset, split, recipe, watch
        self.history: tuple[Epoch, ...] = ()
        self.weights: Mapping[str, Tensor] = {}
        self.fabric = fabric_for(recipe.hardware)
        self.network = network.to(memory_format=torch.channels_last)
        self.optimiser = optimiser_for(network, recipe.optimiser)
        self.rates = [group["lr"] for group in self.optimiser.param_groups]
        self.step_network, self.step_optimiser = self.fabric.setup(self.network, self.optimiser)
        slices = Slices(dataset, split.train, recipe.input.outside_lungs)
        self.batches = Batches(
            len(slices),
            recipe.optimiser.batch_size,
            recipe.seed,
            rank=self.fabric.global_rank,
            ranks=self.fabric.world_size,
        )
        self.loader = loader_for(slices, self.batches, recipe.hardware)
        self.slices = len(slices)
        if self.slices < 2 * self.fabric.world_size:
            raise BadRecipe(f"{self.slices} training slices: batch norm needs 2 on each device")
        weight = torch.tensor(slices.positive_weight, device=self.fabric.device)
        self.loss = nn.BCEWithLogitsLoss(pos_weight=weight)

    def take_up(self) -> None:
        """Where the last checkpoint left it."""
        kept = checkpoints.load(self.recipe.out)
        if kept is None:
            return
        self.network.load_state_dict(kept.network)
        self.optimiser.load_state_dict(dict(kept.optimiser))
        self.fabric.strategy.precision.load_state_dict(dict(kept.scaler))
        self.history, self.weights = kept.history, kept.best
        if self.fabric.is_global_zero:  # a kill may have come between checkpoint and history
            write_history(self.recipe.out, self.history)

    def epoch(self, number: int) -> None:
        """All slices once, then the selection patients; durable when this returns."""
        self._end(number, self.pass_over(number))

    def pass_over(self, number: int) -> Pass:
        """All training slices once."""
        started, waited, total, seen = time.perf_counter(), 0.0, 0.0, 0
        self.batches.epoch = number
        self.network.train()
        asked = time.perf_counter()
        for k, (images, labels) in enumerate(self.loader):
            waited += time.perf_counter() - asked
            total += self._step(images, labels, number, k) * len(labels)
            seen += len(labels)
            asked = time.perf_counter()
        took = time.perf_counter() - started
        mean = self._over_all(total, "sum") / self._over_all(float(seen), "sum")
        return Pass(mean, self.slices / took, waited / took)

    def _over_all(self, here: float, how: str) -> float:
        """Of all processes: what one of them alone decides would leave the others waiting for it."""
        if self.fabric.world_size == 1:
            return here
        there = torch.tensor(here, dtype=torch.float64, device=self.fabric.device)
        return float(self.fabric.all_reduce(there, reduce_op=how))  # type: ignore[arg-type]

    def _step(self, images: Tensor, labels: Tensor, epoch: int, k: int) -> float:
        if self._over_all(self.watch.stop_asked(), "max"):
            raise Stopped(f"stopped in epoch {epoch}, batch {k + 1} of {len(self.batches)}")
        recipe = self.recipe
        share = share_of_rate(epoch - 1 + (k + 1) / len(self.batches), recipe.optimiser)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        turned = augmented(
            images.to(self.fabric.device),
            degrees=recipe.augmentation.degrees,
            flip=recipe.augmentation.flip,
            generator=chance(recipe.seed, epoch, k, self.fabric.global_rank),
        )
        self.step_optimiser.zero_grad()
        loss = self.loss(self.step_network(turned), labels.to(self.fabric.device))
        value = float(loss.item())
        if self._over_all(not math.isfinite(value), "max"):
            here = value if not math.isfinite(value) else "no number in another process"
            raise _diverged(f"the loss is {here} in epoch {epoch}, batch {k + 1} of {len(self.batches)}")
        self.fabric.backward(loss)
        self.step_optimiser.step()
        if self.fabric.is_global_zero:
            self.watch.on_batch(Batch(epoch, k + 1, len(self.batches), value))
        return value

    def _end(self, number: int, done: Pass) -> None:
        judged = self._judged() if self.fabric.is_global_zero else (0.0, 0.0, 0)
        selection_loss, selection_auc, lost = self.fabric.broadcast(judged)
        if lost:
            raise _diverged(
                f"{lost} of {len(self.split.selection)} patients get no finite score after epoch {number}"
            )
        rate = self.rates[0] * share_of_rate(float(number), self.recipe.optimiser)
        epoch = Epoch(number, done.loss, selection_loss, selection_auc, rate, done.slices_per_s, done.waiting)
        self.history = (*self.history, epoch)
        if best(self.history) is epoch:
            self.weights = {
                name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()
            }
        if self.fabric.is_global_zero:
            self._keep()
            self.watch.on_epoch(epoch)

    def _keep(self) -> None:
        scaler = self.fabric.strategy.precision.state_dict()
        network, optimiser = self.network.state_dict(), self.optimiser.state_dict()
        kept = Checkpoint(network, optimiser, scaler, self.weights, self.history)
        checkpoints.save(kept, self.recipe.out)
        write_history(self.recipe.out, self.history)

    def _judged(self) -> tuple[float, float, int]:
        """Loss and AUC of the selection patients, the mean over their slices as the service takes it.

        And how many of them have no finite score: then the other two are none either.
        """
        cases = self.split.selection
        probability = np.array([self._probability(name) for name in cases])
        if lost := int((~np.isfinite(probability)).sum()):
            return math.nan, math.nan, lost
        truth = np.array([self.dataset.cases[name].positive for name in cases])
        met = np.clip(np.where(truth, probability, 1 - probability), CERTAIN, 1.0)
        return float(-np.log(met).mean()), computed(auc(truth, probability)), 0

    def _probability(self, case: str) -> float:
        self.network.eval()
        images = torch.from_numpy(images_of(self.dataset, case, self.recipe.input.outside_lungs))
        with torch.inference_mode():
            parts = [
                torch.sigmoid(self.network(part.to(self.fabric.device))).cpu()
                for part in torch.split(images[:, None], self.recipe.optimiser.batch_size)
            ]
        return pool(torch.cat(parts).tolist())


def _over(history: Sequence[Epoch], recipe: Recipe) -> bool:
    """At the last epoch, or where the best is `patience` epochs ago."""
    kept = best(history)
    if kept is None:
        return False
    last = history[-1].number
    return last >= recipe.optimiser.epochs or last - kept.number >= recipe.optimiser.patience


def _diverged(what: str) -> Diverged:
    return Diverged(
        f"{what}. Try a lower optimiser.rate and head_rate, a longer warm_up_epochs, or precision 32-true;"
        " nothing of this epoch is kept"
    )
