"""What takes long, kept as files, so that a run can be taken up where it ended.

A case is named by its patient, a training by its name and recipe: nothing else may differ within one folder.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from inference.preprocess import Frame
from inference.training.embedded.cohort import Case, MakeCase, Patient
from inference.training.embedded.experiment import Experiment, Trained
from inference.training.embedded.fit import Epoch, Recipe

_PLACE = tuple(field.name for field in fields(Frame))


def shelved_case(patient: Patient, make: MakeCase, folder: Path) -> Case:
    path = folder / f"{_digest(asdict(patient))}.npz"
    if not path.exists():
        _put(path, lambda unfinished: _write_case(make(patient), unfinished))
    with np.load(path) as arrays:
        return Case(
            patient=patient,
            positive=patient.is_pima,
            images=arrays["images"],
            lesion=arrays["lesion"],
            place=Frame(**{name: arrays[name] for name in _PLACE}),
        )


def shelved_training(
    experiment: Experiment, recipe: Recipe, train: Callable[[Experiment, Recipe], Trained], folder: Path
) -> Trained:
    weights = folder / f"{_digest([experiment.name, asdict(recipe)])}.safetensors"
    best = weights.with_suffix(".json")
    if not weights.exists():
        made = train(experiment, recipe)
        _put(best, lambda unfinished: unfinished.write_text(json.dumps(asdict(made.best))))
        _put(weights, lambda unfinished: unfinished.write_bytes(made.weights))
    return Trained(weights.read_bytes(), Epoch(**json.loads(best.read_text())))


def _digest(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _put(path: Path, write: Callable[[Path], object]) -> None:
    """All of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    write(unfinished)
    unfinished.rename(path)


def _write_case(case: Case, path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(
            file, images=case.images, lesion=case.lesion, **{n: getattr(case.place, n) for n in _PLACE}
        )
