"""Every number of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.evaluation.baselines import Baseline, baselines
from inference.evaluation.by_class import ByClass, of_subjects
from inference.evaluation.calibration import Bin, Recalibration, curve, recalibration
from inference.evaluation.characteristics import Cohort, cohort_of
from inference.evaluation.decision import NetBenefit, decision_curve
from inference.evaluation.estimate import NotComputable
from inference.evaluation.rivals import Rival, check_distinct, rival
from inference.evaluation.roc import RocPoint, roc
from inference.evaluation.slice_level import SliceLevel, slice_level
from inference.evaluation.source import Source
from inference.evaluation.subgroups import Grouping, groupings
from inference.evaluation.subject import Subject, probabilities_of, truth_of
from inference.evaluation.summary import Summary, summary


@dataclass(frozen=True, kw_only=True)
class Results:
    patients: ByClass
    abstained: ByClass  # without a probability: in the cohort table and in no other figure
    performance: Summary
    roc: tuple[RocPoint, ...] | NotComputable
    calibration: tuple[Bin, ...] | NotComputable
    recalibration: Recalibration | NotComputable
    decision: tuple[NetBenefit, ...] | NotComputable
    slices: SliceLevel
    baselines: tuple[Baseline, ...]
    rivals: tuple[Rival, ...]
    subgroups: tuple[Grouping, ...]
    cohort: Cohort


def scored(subjects: Sequence[Subject]) -> tuple[Subject, ...]:
    return tuple(subject for subject in subjects if subject.probability is not None)


def results_of(source: Source) -> Results:
    """What cannot be computed stands there with its reason."""
    check_distinct(source.subjects, source.model.name)
    subjects, seed, threshold = scored(source.subjects), source.seed, source.threshold
    truth, probability = truth_of(subjects), probabilities_of(subjects)
    return Results(
        patients=of_subjects(source.subjects),
        abstained=of_subjects([each for each in source.subjects if each.probability is None]),
        performance=summary(truth, probability, threshold=threshold, seed=seed),
        roc=roc(truth, probability),
        calibration=curve(truth, probability),
        recalibration=recalibration(truth, probability),
        decision=decision_curve(truth, probability),
        slices=slice_level(subjects, threshold, source.calibrated),
        baselines=baselines(subjects, seed=seed),
        rivals=tuple(rival(name, subjects, theirs, seed=seed) for name, theirs in source.rivals.items()),
        subgroups=groupings(subjects, threshold=threshold, seed=seed),
        cohort=cohort_of(source.subjects),
    )
