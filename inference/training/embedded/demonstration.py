"""Trains the embedded demonstration bundle on synthetic phantoms, and the controls of its figures.

`python -m inference.training.embedded.demonstration --out inference/bundles/demonstration`

One recipe: the bundle's training, one on patients whose two kinds of lesion are alike in size, and several with
labels shuffled among the bundle's patients. Several, since a network that learned nothing still ranks all patients
by some look of theirs, and one such ranking may follow size either way by chance.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from inference.analyse import Segmenter
from inference.bundle import Metric
from inference.threshold import ThresholdSegmenter
from inference.training.embedded.card import PREPROCESSING, write_bundle
from inference.training.embedded.cohort import (
    LIKE_THE_PAPER,
    SIZES_MATCHED,
    Case,
    MakeCase,
    Patient,
    Variety,
    cases,
    drawn_case,
    patients,
    scanned_case,
    shuffled,
    split,
)
from inference.training.embedded.experiment import Experiment, Trained, measured, trained
from inference.training.embedded.fit import Epoch, Recipe
from inference.training.embedded.held_out import Verdict, area, figures, mean_area
from inference.training.embedded.shelf import shelved_case, shelved_training

COHORT = 300
SHARES = (2 / 3, 2 / 15)  # training and validation; the rest is held out
SEED = 1
SHUFFLES = 5


def main() -> None:
    options = _options()
    console = Console()
    rng = np.random.default_rng(options.seed)
    segment = ThresholdSegmenter()
    paper, paper_test = _drawn("as in the paper", LIKE_THE_PAPER, options.seed, segment, options, console)
    matched, matched_test = _drawn(
        "sizes matched", SIZES_MATCHED, options.seed + 1, segment, options, console
    )
    dealt = [_dealt(paper, number, rng) for number in range(1, SHUFFLES + 1)]
    bundle, of_matched, *of_dealt = _trained((paper, matched, *dealt), options)
    metrics = (
        *_of_bundle(measured(bundle.weights, paper_test), rng),
        *_of_matched(measured(of_matched.weights, matched_test), rng),
        mean_area("AUC, labels shuffled", [measured(each.weights, paper_test) for each in of_dealt]),
    )
    write_bundle(
        options.out,
        bundle.weights,
        training_data=_training_data(paper, bundle.best, paper_test, segment),
        metrics=metrics,
    )
    console.print(*(f"{m.name}: {m.value:.3f} ({m.low:.3f} to {m.high:.3f})" for m in metrics), sep="\n")


def _trained(experiments: Sequence[Experiment], options: argparse.Namespace) -> list[Trained]:
    recipe = Recipe(epochs=options.epochs, seed=options.seed)
    run = partial(trained, recipe=recipe)
    if options.cache:
        run = partial(shelved_training, recipe=recipe, train=trained, folder=options.cache / "trained")
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(run, experiments))


def _of_bundle(verdicts: Sequence[Verdict], rng: np.random.Generator) -> tuple[Metric, ...]:
    return (
        *figures(verdicts, rng),
        area("AUC of the size alone", verdicts, lambda v: v.patient.size_mm, rng),
        area("AUC of the number of slices alone", verdicts, lambda v: v.slabs, rng),
    )


def _of_matched(verdicts: Sequence[Verdict], rng: np.random.Generator) -> tuple[Metric, ...]:
    return (
        area("AUC, sizes matched", verdicts, lambda v: v.probability, rng),
        area("AUC of the size alone, sizes matched", verdicts, lambda v: v.patient.size_mm, rng),
    )


def _dealt(experiment: Experiment, number: int, rng: np.random.Generator) -> Experiment:
    return replace(
        experiment,
        name=f"labels shuffled {number}",
        train=shuffled(experiment.train, rng),
        validation=shuffled(experiment.validation, rng),
    )


def parts(
    variety: Variety, seed: int, count: int = COHORT
) -> tuple[list[Patient], list[Patient], list[Patient]]:
    """Patients for training, for choosing the epoch, and held out."""
    return split(patients(count, seed, variety), SHARES)


def _drawn(
    name: str, variety: Variety, seed: int, segment: Segmenter, options: argparse.Namespace, console: Console
) -> tuple[Experiment, list[Case]]:
    """What is trained with, and the patients held out."""
    drawn = partial(drawn_case, numbers=PREPROCESSING)
    scanned = partial(scanned_case, numbers=PREPROCESSING, segment=segment)

    def made(part: Sequence[Patient], make: MakeCase, kind: str) -> list[Case]:
        if options.cache:
            make = partial(shelved_case, make=make, folder=options.cache / kind)
        each = cases(part, make, options.processes)
        return list(track(each, f"{name}, {kind}", total=len(part), console=console))

    train, validation, test = parts(variety, seed, options.cohort)
    experiment = Experiment(name, made(train, drawn, "drawn"), made(validation, drawn, "drawn"))
    return experiment, made(test, scanned, "scanned")


def _training_data(experiment: Experiment, best: Epoch, test: Sequence[Case], segment: Segmenter) -> str:
    slices = sum(len(case.images) for case in experiment.train)
    return (
        f"Synthetic chest phantoms, one a patient and each another anatomy, half with a lesion like PIMA and"
        f" half like IPN, of sizes near the paper's; slices of 1 to 8 mm, sharp and soft kernels, several"
        f" levels of noise. {len(experiment.train)} for training ({slices} slices), {len(experiment.validation)}"
        f" for choosing the epoch (epoch {best.number}, AUC {best.validation_auc:.3f}), both in their true"
        f" lungs; training was told where the lesion is, and evidence outside it cost a little."
        f" {len(test)} held out, 512 x 512 at 0.7 mm in the lungs of"
        f" {segment.identity.name}, all slices that show the lesion. No real image."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the demonstration bundle on synthetic phantoms.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the bundle to")
    parser.add_argument(
        "--cohort", type=int, default=COHORT, help="phantoms a training, held-out ones included"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs, help="on whole slices")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="folder that keeps the phantoms from run to run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
