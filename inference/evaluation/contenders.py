"""Several models of the same kind on the same patients, side by side, as in Table 2 of the paper."""

from collections.abc import Mapping
from dataclasses import dataclass

from inference.evaluation.estimate import NotComputable
from inference.evaluation.published import Published
from inference.evaluation.results import scored
from inference.evaluation.rivals import Rival, check_distinct, rival
from inference.evaluation.roc import RocPoint, roc
from inference.evaluation.subject import Subject, probabilities_of, truth_of
from inference.evaluation.summary import Summary, summary

THRESHOLD = 0.5  # paper, section Network


class NoReference(ValueError):
    """The model that the others are tested against is none of them."""


@dataclass(frozen=True)
class Contender:
    name: str
    threshold: float
    abstained: int  # patients
    summary: Summary
    roc: tuple[RocPoint, ...] | NotComputable
    against_reference: Rival | None  # DeLong's paired test, the reference first; None: it is the reference
    published: Published | None


def contenders(
    models: Mapping[str, tuple[Subject, ...]],
    *,
    reference: str,
    thresholds: Mapping[str, float],
    published: Mapping[str, Published],
    seed: int,
) -> tuple[Contender, ...]:
    """In the order of `models`; each on the patients that it has scored, the tests on those that both have."""
    if reference not in models:
        raise NoReference(f"{reference} is not among {', '.join(models) or 'no models'}")
    first = models[reference]
    check_distinct(first, reference)
    return tuple(
        _contender(
            name,
            subjects,
            threshold=thresholds.get(name, THRESHOLD),
            against=None if name == reference else rival(name, first, subjects, seed=seed),
            published=published.get(name),
            seed=seed,
        )
        for name, subjects in models.items()
    )


def _contender(
    name: str,
    everybody: tuple[Subject, ...],
    *,
    threshold: float,
    against: Rival | None,
    published: Published | None,
    seed: int,
) -> Contender:
    subjects = scored(everybody)
    truth, probability = truth_of(subjects), probabilities_of(subjects)
    return Contender(
        name=name,
        threshold=threshold,
        abstained=len(everybody) - len(subjects),
        summary=summary(truth, probability, threshold=threshold, seed=seed),
        roc=roc(truth, probability),
        against_reference=against,
        published=published,
    )
