"""How a model's scores, its abstentions and the lungs it finds move with time and from scanner to scanner.

Of all studies with a result, whether their truth is known or not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ks_2samp

from inference.evaluation.cohort import Quartiles, quartiles
from inference.evaluation.estimate import Figure, NotComputable
from inference.evaluation.proportions import wilson
from inference.evaluation.sample import Scores, check_numbers, check_shares

NOT_STATED = "not stated"
SMALLEST = 5  # scores: of fewer no distribution is compared


@dataclass(frozen=True)
class Reading:
    """What a model made of one study."""

    month: str  # of acquisition, yyyy-mm; empty where it is not known, like the scanner
    scanner: str
    probability: float | None  # None: the model abstained
    lung_volume_ml: float


@dataclass(frozen=True)
class Shift:
    """The two-sample Kolmogorov-Smirnov test of two groups' probabilities (Smirnov 1939)."""

    distance: float  # the largest between the two cumulative distributions, 0..1
    p: float  # two-sided, of this test alone


@dataclass(frozen=True)
class Drift:
    """Of one group of studies."""

    name: str
    studies: int
    probability: Quartiles | NotComputable
    positive: Figure  # share of the scored that read PIMA
    abstained: Figure  # share of all
    lung_volume_ml: Quartiles | NotComputable
    shift: Shift | NotComputable


def by_month(readings: Sequence[Reading], *, threshold: float) -> tuple[Drift, ...]:
    """In their order, each against the first; those without a month come last."""
    groups = _grouped(readings, lambda reading: reading.month)
    dated = [name for name in groups if name != NOT_STATED]
    first = _scores(groups[dated[0]]) if dated else np.empty(0)
    names = [*dated, *(groups.keys() - set(dated))]
    alone = {dated[0]: "the first month"} if dated else dict.fromkeys(names, "no month is stated")
    return tuple(_drift(name, groups[name], first, threshold, alone.get(name, "")) for name in names)


def by_scanner(readings: Sequence[Reading], *, threshold: float) -> tuple[Drift, ...]:
    """The most frequent first, each against all others together."""
    groups = _grouped(readings, lambda reading: reading.scanner)
    names = sorted(groups, key=lambda name: (-len(groups[name]), name))
    return tuple(
        _drift(
            name,
            groups[name],
            _scores([r for other in names if other != name for r in groups[other]]),
            threshold,
            "there is no other to compare with" if len(names) == 1 else "",
        )
        for name in names
    )


def compared_distributions(reference: Scores, scores: Scores) -> Shift | NotComputable:
    check_numbers(reference, "reference")
    check_numbers(scores, "scores")
    if min(reference.size, scores.size) < SMALLEST:
        return NotComputable(f"{scores.size} scores against {reference.size}, {SMALLEST} of each are needed")
    found = ks_2samp(reference, scores)
    return Shift(float(found.statistic), float(found.pvalue))


def _grouped(readings: Sequence[Reading], key: Callable[[Reading], str]) -> dict[str, list[Reading]]:
    """By name in alphabetical order."""
    groups: dict[str, list[Reading]] = {}
    for reading in sorted(readings, key=key):
        groups.setdefault(key(reading) or NOT_STATED, []).append(reading)
    return groups


def _drift(name: str, group: Sequence[Reading], reference: Scores, threshold: float, alone: str) -> Drift:
    scores = _scores(group)
    check_shares(scores, "probability")
    return Drift(
        name=name,
        studies=len(group),
        probability=quartiles(scores),
        positive=wilson(int(np.sum(scores >= threshold)), scores.size, "scored studies"),
        abstained=wilson(len(group) - scores.size, len(group), "studies"),
        lung_volume_ml=quartiles(np.array([reading.lung_volume_ml for reading in group], dtype=np.float64)),
        shift=NotComputable(alone) if alone else compared_distributions(reference, scores),
    )


def _scores(group: Sequence[Reading]) -> Scores:
    return np.fromiter(_known(group), dtype=np.float64)


def _known(group: Sequence[Reading]) -> Iterator[float]:
    return (reading.probability for reading in group if reading.probability is not None)
