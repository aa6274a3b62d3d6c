"""Patients drawn at random as an evaluation sees them, with everything known of most and nothing of some."""

from dataclasses import replace

import numpy as np

from inference.evaluation.source import Model, Source
from inference.evaluation.subject import Period, Sex, Subject

LOBES = ("LUL", "LLL", "RUL", "RML", "RLL")


def patients(seed: int, positive: int = 38, negative: int = 51) -> tuple[Subject, ...]:
    """PIMA are larger, older and on more slices; the score knows something of the truth."""
    rng = np.random.default_rng(seed)
    return tuple(
        _patient(rng, f"case-{number:04d}", number < positive) for number in range(positive + negative)
    )


def _patient(rng: np.random.Generator, name: str, positive: bool) -> Subject:
    slices = int(rng.integers(1, 9 if positive else 5))
    logits = rng.normal(1.5 if positive else -1.5, 1.5) + rng.normal(0, 0.5, slices)
    each = tuple((1 / (1 + np.exp(-logits))).tolist())
    return Subject(
        name=name,
        positive=positive,
        probability=float(np.mean(each)),
        slice_probabilities=each,
        confirmed_by="histology" if positive else "follow_up",
        size_mm=float(np.exp(rng.normal(4.0 if positive else 3.0, 0.5))),
        age_years=int(rng.normal(63 if positive else 51, 10)),
        sex=list(Sex)[rng.integers(2)],
        lobe=LOBES[rng.integers(5)],
        period=list(Period)[rng.integers(2)],
        month=f"202{rng.integers(2, 5)}-0{rng.integers(1, 10)}",
        site=("north", "south")[rng.integers(2)],
        scanner=("Force", "Revolution", "iCT")[rng.integers(3)],
        kernel=("B70f", "LUNG")[rng.integers(2)],
        slice_thickness_mm=(1.25, 5.0)[rng.integers(2)],
        hard=bool(rng.random() < 0.6),
        lung_volume_ml=float(rng.normal(4200, 900)),
    )


def abstained(subject: Subject) -> Subject:
    return replace(subject, probability=None, slice_probabilities=())


def bare(subject: Subject) -> Subject:
    """Nothing but truth and probability is known."""
    return Subject(name=subject.name, positive=subject.positive, probability=subject.probability)


def source(subjects: tuple[Subject, ...], **more: object) -> Source:
    given = {
        "title": "An evaluation",
        "data": "Drawn patients.",
        "model": Model("a model", "1", "0" * 64),
        "threshold": 0.5,
        "subjects": subjects,
    }
    return Source(**{**given, **more})  # type: ignore[arg-type]
