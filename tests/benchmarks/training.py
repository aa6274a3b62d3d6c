"""Training: slices per second of our loop against a plain torchvision ResNet50 with the same loss.

`python -m tests.benchmarks.training --out docs` (or `make training`) writes a table and JSON. All loops take turns in
one run, with the same batch, size, threads and optimiser: forward, backward, step. Ours also reads its slices from a
dataset folder, masks, mirrors and turns them; the plain ones are given tensors that lie in memory.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torchvision.models import resnet50  # type: ignore[import-untyped]

from inference.bundle import Architecture
from inference.network import build
from inference.training.fit import Course
from inference.training.hardware import repeatable
from inference.training.recipe import Hardware, Optimiser, Recipe
from inference.training.watch import Watch
from tests.datasets import write_dataset

ATTENTIONS = ("none", "se_das")
PLAIN, CHANNELS_LAST = "plain", "plain, channels last"
NAME = "benchmarks-training"
HEADING = """\
# Training throughput

Made by `make training`. Every loop trains ResNet50 by weighted binary cross-entropy with AdamW: forward, backward and
step. The plain one is torchvision's network on tensors in memory. Ours reads uint16 slices from a dataset folder,
masks the lungs, mirrors and turns, all of which is in its time. The loops take turns; medians over the rounds.
"""


@dataclass(frozen=True)
class TrainingFigures:
    size: int  # pixels of a side
    batch_size: int
    slices: int  # of a round
    rounds: int
    threads: int
    slices_per_s: dict[str, float]  # by loop
    to_plain: float  # SE-DAS over the plain loop; must be at least 0.8
    to_channels_last: float  # over the plain loop in the faster memory format
    waiting: float  # share of the SE-DAS loop's time in which it waited for slices; the largest of the rounds


def measure(*, size: int, batch_size: int, slices: int, rounds: int) -> TrainingFigures:
    with tempfile.TemporaryDirectory() as folder:
        courses = {name: _course(name, Path(folder) / name, size, batch_size, slices) for name in ATTENTIONS}
        plain = {name: _Plain(name, size, batch_size, slices) for name in (PLAIN, CHANNELS_LAST)}
        speeds: dict[str, list[float]] = {name: [] for name in (*plain, *courses)}
        waits: list[float] = []
        for number in range(1, rounds + 2):
            for name, loop in plain.items():
                speeds[name].append(loop.round())
            for name, course in courses.items():
                with repeatable(Hardware()):
                    done = course.pass_over(number)
                speeds[name].append(done.slices_per_s)
                if name == "se_das":
                    waits.append(done.waiting)
    found = {name: median(each[1:]) for name, each in speeds.items()}  # the first round warms up
    return TrainingFigures(
        size=size,
        batch_size=batch_size,
        slices=slices,
        rounds=rounds,
        threads=torch.get_num_threads(),
        slices_per_s=found,
        to_plain=found["se_das"] / found[PLAIN],
        to_channels_last=found["se_das"] / found[CHANNELS_LAST],
        waiting=max(waits[1:]),
    )


def _course(attention: str, folder: Path, size: int, batch_size: int, slices: int) -> Course:
    """Four patients in training."""
    dataset = write_dataset(folder, train=4, selection=2, test=2, slices=slices // 4, size=size)
    recipe = Recipe(
        dataset=folder,
        out=folder / "out",
        initial="random",
        architecture=Architecture.model_validate({"attention": attention}),
        optimiser=Optimiser(batch_size=batch_size),
    )
    torch.manual_seed(0)
    return Course(build(recipe.architecture), dataset, dataset.split(None), recipe, Watch())


class _Plain:
    """The loop that everybody writes."""

    def __init__(self, name: str, size: int, batch_size: int, slices: int) -> None:
        self._format = torch.channels_last if name == CHANNELS_LAST else torch.contiguous_format
        self._network: nn.Module = resnet50()
        self._network.fc = nn.Linear(2048, 1)
        self._network = self._network.to(memory_format=self._format).train()
        self._optimiser = torch.optim.AdamW(self._network.parameters(), lr=1e-4)
        self._loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(1.0))
        self._images = torch.rand(slices, 3, size, size)
        self._labels = (torch.arange(slices) % 2).float()
        self._batch_size = batch_size

    def round(self) -> float:
        """Slices per second."""
        started = time.perf_counter()
        batches = zip(*(torch.split(t, self._batch_size) for t in (self._images, self._labels)), strict=True)
        for images, labels in batches:
            self._step(images, labels)
        return len(self._images) / (time.perf_counter() - started)

    def _step(self, images: Tensor, labels: Tensor) -> None:
        self._optimiser.zero_grad()
        loss = self._loss(self._network(images.to(memory_format=self._format))[:, 0], labels)
        loss.backward()
        self._optimiser.step()
        loss.item()


def report(figures: TrainingFigures) -> str:
    rows = [
        *((f"{name}, slices/s", f"{speed:.2f}", "") for name, speed in figures.slices_per_s.items()),
        ("SE-DAS / plain ResNet50", f"{figures.to_plain:.2f}", "at least 0.80"),
        ("SE-DAS / plain ResNet50, channels last", f"{figures.to_channels_last:.2f}", ""),
        ("share of its time in which SE-DAS waits for slices", f"{figures.waiting:.3f}", ""),
    ]
    lines = [("measured in one run", "figure", "wanted"), ("---",) * 3, *rows]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    setting = (
        f"{figures.size} x {figures.size} pixels, batches of {figures.batch_size}, {figures.slices} slices a round,"
        f" {figures.rounds} rounds, {figures.threads} threads.\n"
    )
    return f"{HEADING}\n{setting}\n{table}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {NAME}.json and {NAME}.md")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--slices", type=int, default=16, help="of a round; a multiple of 4 and of the batch")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    figures = measure(
        size=chosen.size, batch_size=chosen.batch_size, slices=chosen.slices, rounds=chosen.rounds
    )
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / f"{NAME}.json").write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")
    (chosen.out / f"{NAME}.md").write_text(report(figures), encoding="utf-8")
    sys.stdout.write(report(figures))


if __name__ == "__main__":
    main()
