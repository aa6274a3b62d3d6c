"""Trains the embedded demonstration bundle on synthetic phantoms, and the controls of its figures.

`python -m inference.training.demonstration --out inference/bundles/demonstration`

One recipe, three trainings: the bundle's, one with labels shuffled among the same patients, and one on
patients whose two kinds of lesion are alike in size.
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
from inference.threshold import ThresholdSegmenter
from inference.training.card import PREPROCESSING, write_bundle
from inference.training.cohort import (
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
from inference.training.experiment import Experiment, measured, trained
from inference.training.fit import Epoch, Recipe
from inference.training.held_out import area, figures
from inference.training.shelf import shelved_case, shelved_training

COHORT = 300
SHARES = (2 / 3, 2 / 15)  # training and validation; the rest is held out
SEED = 1


def main() -> None:
    options = _options()
    console = Console()
    rng = np.random.default_rng(options.seed)
    segment = ThresholdSegmenter()
    paper = _drawn("as in the paper", LIKE_THE_PAPER, options.seed, segment, options, console)
    matched = _drawn("sizes matched", SIZES_MATCHED, options.seed + 1, segment, options, console)
    dealt = replace(
        paper,
        name="labels shuffled",
        train=shuffled(paper.train, rng),
        validation=shuffled(paper.validation, rng),
    )
    recipe = Recipe(epochs=options.epochs, seed=options.seed)
    run = partial(trained, recipe=recipe)
    if options.cache:
        run = partial(shelved_training, recipe=recipe, train=trained, folder=options.cache / "trained")
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        bundle, of_dealt, of_matched = pool.map(run, (paper, dealt, matched))
    verdicts, verdicts_of_matched = (
        measured(bundle.weights, paper.test),
        measured(of_matched.weights, matched.test),
    )
    metrics = (
        *figures(verdicts, rng),
        area("AUC of the size alone", verdicts, lambda v: v.patient.size_mm, rng),
        area("AUC of the number of slices alone", verdicts, lambda v: v.slabs, rng),
        area("AUC, labels shuffled", measured(of_dealt.weights, paper.test), lambda v: v.probability, rng),
        area("AUC, sizes matched", verdicts_of_matched, lambda v: v.probability, rng),
        area("AUC of the size alone, sizes matched", verdicts_of_matched, lambda v: v.patient.size_mm, rng),
    )
    write_bundle(
        options.out,
        bundle.weights,
        training_data=_training_data(paper, bundle.best, segment),
        metrics=metrics,
    )
    console.print(*(f"{m.name}: {m.value:.3f} ({m.low:.3f} to {m.high:.3f})" for m in metrics), sep="\n")


def parts(
    variety: Variety, seed: int, count: int = COHORT
) -> tuple[list[Patient], list[Patient], list[Patient]]:
    """Patients for training, for choosing the epoch, and held out."""
    return split(patients(count, seed, variety), SHARES)


def _drawn(
    name: str, variety: Variety, seed: int, segment: Segmenter, options: argparse.Namespace, console: Console
) -> Experiment:
    drawn = partial(drawn_case, numbers=PREPROCESSING)
    scanned = partial(scanned_case, numbers=PREPROCESSING, segment=segment)

    def made(part: Sequence[Patient], make: MakeCase, kind: str) -> list[Case]:
        if options.cache:
            make = partial(shelved_case, make=make, folder=options.cache / kind)
        each = cases(part, make, options.processes)
        return list(track(each, f"{name}, {kind}", total=len(part), console=console))

    train, validation, test = parts(variety, seed, options.cohort)
    return Experiment(
        name,
        train=made(train, drawn, "drawn"),
        validation=made(validation, drawn, "drawn"),
        test=made(test, scanned, "scanned"),
    )


def _training_data(experiment: Experiment, best: Epoch, segment: Segmenter) -> str:
    slices = sum(len(case.images) for case in experiment.train)
    return (
        f"Synthetic chest phantoms, one a patient and each another anatomy, half with a lesion like PIMA and"
        f" half like IPN, of the sizes in the paper; slices of 1 to 8 mm, sharp and soft kernels, several"
        f" levels of noise. {len(experiment.train)} for training ({slices} slices), {len(experiment.validation)}"
        f" for choosing the epoch (epoch {best.number}, AUC {best.validation_auc:.3f}), both in their true"
        f" lungs; {len(experiment.test)} held out, 512 x 512 at 0.7 mm in the lungs of"
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
