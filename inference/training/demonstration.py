"""Trains the embedded demonstration bundle on synthetic phantoms.

`python -m inference.training.demonstration --out inference/bundles/demonstration`
"""

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import save

from inference.bundle import CARD, WEIGHTS, Architecture, Card, ClassCode, Metric, Preprocessing
from inference.network import build
from inference.resnet import ResNet
from inference.training.cohort import (
    Case,
    MakeCase,
    Patient,
    cases,
    drawn_case,
    patients,
    scanned_case,
    split,
)
from inference.training.fit import Epoch, Recipe, fit, patient_scores
from inference.training.metrics import Interval, auc_interval, wilson

# Small, and with a last map of 32 x 32, so that the heat is finer than the lesion.
ARCHITECTURE = Architecture(layers=(1, 1, 1, 1), strides=(1, 2, 1, 1), width=12, channels=1)
PREPROCESSING = Preprocessing(pixel_mm=1.4, size=256)
THRESHOLD = 0.5
SHARES = (0.75, 0.1)  # training and validation; the rest is held out


def main() -> None:
    options = _options()
    console = Console()
    torch.set_num_threads(options.processes)
    torch.use_deterministic_algorithms(True)
    parts = split(patients(options.cohort, options.seed), SHARES)
    makes = (drawn_case, scanned_case, scanned_case)
    train, validation, test = (
        _made(part, make, options.processes, console) for part, make in zip(parts, makes, strict=True)
    )
    torch.manual_seed(options.seed)
    network = build(ARCHITECTURE)
    recipe = Recipe(epochs=options.epochs, seed=options.seed)
    best = fit(network, train, validation, recipe, on_epoch=lambda epoch: console.print(_line(epoch)))
    metrics = held_out(network, test, np.random.default_rng(options.seed))
    write_bundle(network, metrics, _training_data(train, validation, test, best), options.out)
    console.print(*(f"{m.name} {m.value:.3f} ({m.low:.3f} to {m.high:.3f})" for m in metrics), sep="\n")


def _made(part: Sequence[Patient], make: MakeCase, processes: int, console: Console) -> list[Case]:
    made = cases(part, PREPROCESSING, make, processes)
    return list(track(made, "phantoms", total=len(part), console=console))


def held_out(network: ResNet, test: Sequence[Case], rng: np.random.Generator) -> tuple[Metric, ...]:
    scores, positive = patient_scores(network, test)
    called = scores >= THRESHOLD
    figures: dict[str, tuple[Interval, int]] = {
        "AUC": (auc_interval(scores, positive, resamples=2000, rng=rng), positive.size),
        "sensitivity": (wilson(int((called & positive).sum()), int(positive.sum())), int(positive.sum())),
        "specificity": (
            wilson(int((~called & ~positive).sum()), int((~positive).sum())),
            int((~positive).sum()),
        ),
        "accuracy": (wilson(int((called == positive).sum()), positive.size), positive.size),
    }
    return tuple(
        Metric(name=n, value=i.value, low=i.low, high=i.high, patients=p) for n, (i, p) in figures.items()
    )


def write_bundle(network: ResNet, metrics: tuple[Metric, ...], training_data: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / WEIGHTS).write_bytes(
        save({name: value.contiguous() for name, value in network.state_dict().items()})
    )
    card = Card(
        name="sedas-demonstration",
        version="1",
        manufacturer="sedas-node",
        architecture=ARCHITECTURE,
        preprocessing=PREPROCESSING,
        threshold=THRESHOLD,
        classes=(
            ClassCode(label="PIMA", meaning="Pulmonary invasive mucinous adenocarcinoma"),
            ClassCode(label="IPN", meaning="Inflammatory pulmonary nodule"),
        ),
        training_data=training_data,
        metrics=metrics,
        intended_use="Showing that the node works from image to report. Nothing else.",
        limits=(
            "It has seen no patient: only drawings whose two kinds of lesion are caricatures.",
            "Its figures are those of other drawings of the same kind and say nothing about patients.",
            "Slices are resampled in their plane only and scored one by one.",
        ),
        licence="Apache-2.0",
        statements=("Demonstration model, no clinical meaning.",),
        weights_sha256=hashlib.sha256((out / WEIGHTS).read_bytes()).hexdigest(),
    )
    (out / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _training_data(
    train: Sequence[Case], validation: Sequence[Case], test: Sequence[Case], best: Epoch
) -> str:
    slices = sum(len(case.images) for case in train)
    return (
        f"Synthetic chest phantoms, one a patient, half with a lesion like PIMA and half like IPN:"
        f" {len(train)} for training ({slices} slices), {len(validation)} for choosing the epoch"
        f" (epoch {best.number}, AUC {best.validation_auc:.3f}), {len(test)} held out. No real image."
    )


def _line(epoch: Epoch) -> str:
    return (
        f"epoch {epoch.number}: loss {epoch.loss:.4f},"
        f" validation loss {epoch.validation_loss:.4f}, AUC {epoch.validation_auc:.4f}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the demonstration bundle on synthetic phantoms.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the bundle to")
    parser.add_argument("--cohort", type=int, default=400, help="number of phantoms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
