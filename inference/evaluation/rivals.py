"""Another model on the same patients: DeLong's paired test on those that both have scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.evaluation.by_class import ByClass, of_truth
from inference.evaluation.delong import Comparison, compared
from inference.evaluation.discrimination import Bootstrap, bootstrap
from inference.evaluation.estimate import NotComputable
from inference.evaluation.subject import Subject, probabilities_of, truth_of


class TwoTruths(ValueError):
    """A patient is positive for one model and negative for the other."""


class PatientTwice(ValueError):
    """A patient would be counted twice."""


@dataclass(frozen=True)
class Rival:
    name: str
    shared: ByClass  # patients that both have scored
    only_model: int  # patients
    only_rival: int
    auc: Bootstrap | NotComputable  # of the rival, on the shared
    model_against: Comparison | NotComputable  # the model first


def check_distinct(subjects: Sequence[Subject], whose: str) -> None:
    names = {subject.name for subject in subjects}
    if len(names) < len(subjects):
        raise PatientTwice(f"{whose}: {len(subjects)} patients have {len(names)} names")


def rival(name: str, ours: Sequence[Subject], theirs: Sequence[Subject], *, seed: int) -> Rival:
    check_distinct(theirs, name)
    mine, other = _scored(ours), _scored(theirs)
    shared = [subject for subject in mine if subject in other]
    truth = truth_of([mine[each] for each in shared])
    if wrong := int(np.sum(truth != truth_of([other[each] for each in shared]))):
        raise TwoTruths(f"{name}: {wrong} of {len(shared)} shared patients have another truth")
    first, second = (probabilities_of([scored[each] for each in shared]) for scored in (mine, other))
    return Rival(
        name=name,
        shared=of_truth(truth),
        only_model=len(mine) - len(shared),
        only_rival=len(other) - len(shared),
        auc=bootstrap(truth, second, rng=np.random.default_rng(seed)),
        model_against=compared(truth, first, second),
    )


def _scored(subjects: Sequence[Subject]) -> dict[str, Subject]:
    return {subject.name: subject for subject in subjects if subject.probability is not None}
