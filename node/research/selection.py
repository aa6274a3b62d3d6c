"""Which studies of a node a validation is of, and why the others are not: rows in, subjects and a flow out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from db.models import Result, Truth
from db.states import State
from db.studies import Study
from inference.evaluation.flow import Excluded, Flow, Group
from inference.evaluation.subject import Period, Sex, Subject
from inference.findings import Label, SlicePolicy
from node.research.subgroup import Condition


class CannotValidate(ValueError):
    """There is nothing to validate, or no telling what."""


class Policy(StrEnum):
    """Whose results count, by how the slices were found."""

    ANNOTATED = "annotated"
    AUTOMATIC = "automatic"
    ALL = "all"

    def takes(self, result: Result) -> bool:
        return self is Policy.ALL or result.slice_policy == self.value


@dataclass(frozen=True)
class Case:
    """A study that counts, and the result it counts by."""

    subject: Subject
    result: Result


@dataclass(frozen=True)
class Selected:
    cases: tuple[Case, ...]
    flow: Flow

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return tuple(case.subject for case in self.cases)


@dataclass(frozen=True)
class Rules:
    model: str  # digest of its bundle
    policy: Policy
    conditions: tuple[Condition, ...] = field(default=())


_WITHOUT_RESULT = {
    State.REJECTED: "refused as not analysable",
    State.FAILED: "analysis failed",
}
_UNDER_WAY = "no result yet"
_WITHDRAWN = "result withdrawn"
_OTHER_MODEL = "result of another model only"
_NO_TARGET = "no target found"
_OTHER_POLICY = "slices found in another way"
_ABSTAINED = "no number given, for the quality of the images"
_NO_TRUTH = "truth not known"
_ORDER = (
    *_WITHOUT_RESULT.values(), _WITHDRAWN, _UNDER_WAY, _OTHER_MODEL, _NO_TARGET, _OTHER_POLICY, _ABSTAINED,
    _NO_TRUTH,
)  # fmt: skip


def models(studies: Sequence[Study]) -> Counter[str]:
    """How many studies have a standing result of each model, by its digest."""
    return Counter(digest for study in studies for digest in {r.classifier_digest for r in study.results})


def model_named(studies: Sequence[Study], beginning: str | None, option: str) -> str:
    """The one model whose digest begins like this; without a beginning the only one there is."""
    found = models(studies)
    fitting = [digest for digest in found if digest.startswith(beginning or "")]
    if len(fitting) == 1:
        return fitting[0]
    if not found:
        raise CannotValidate("no study of this period has a result")
    every = ", ".join(f"{digest[:12]} ({count} studies)" for digest, count in found.most_common())
    raise CannotValidate(f"name one of the models by {option}, by the first digits of its digest: {every}")


def newest(study: Study, model: str) -> Result | None:
    """The newest result of the model that stands."""
    return next((result for result in study.results if result.classifier_digest == model), None)


def select(studies: Sequence[Study], truths: Mapping[str, Truth], rules: Rules) -> Selected:
    """Every study is counted once: among the included, or for the first reason against it."""
    cases, against = [], Counter[str]()
    for study in studies:
        result, truth = newest(study, rules.model), truths.get(study.study_instance_uid)
        reason = _why_not(study, result, truth, rules.policy)
        if reason is not None or result is None or truth is None:
            against[reason or _NO_TRUTH] += 1
            continue
        subject = subject_of(study.study_instance_uid, result, truth)
        unmet = next((str(c) for c in rules.conditions if not c(subject)), None)
        if unmet is None:
            cases.append(Case(subject, result))
        else:
            against[f"not known to be in {unmet}"] += 1
    kept = _in_periods(cases)
    return Selected(kept, Flow(len(studies), tuple(_excluded(against)), (_group(kept),)))


def _why_not(study: Study, result: Result | None, truth: Truth | None, policy: Policy) -> str | None:
    if result is None:
        return _why_no_result(study)
    if result.slice_policy == SlicePolicy.NONE:
        return _NO_TARGET
    if not policy.takes(result):
        return _OTHER_POLICY
    if result.probability is None:
        return _ABSTAINED
    return _NO_TRUTH if truth is None else None


def _why_no_result(study: Study) -> str:
    if study.results:
        return _OTHER_MODEL
    if study.withdrawn:
        return _WITHDRAWN
    return _WITHOUT_RESULT.get(study.state, _UNDER_WAY)


def _excluded(against: Counter[str]) -> Iterator[Excluded]:
    for reason in (*_ORDER, *sorted(against.keys() - set(_ORDER))):
        if against[reason]:
            yield Excluded(reason, against[reason])


def _group(cases: Sequence[Case]) -> Group:
    positive = sum(case.subject.positive for case in cases)
    return Group("included", positive, len(cases) - positive)


def subject_of(study_instance_uid: str, result: Result, truth: Truth) -> Subject:
    """The size is the stated one, else the scored target's."""
    measured = next((target.size_mm for target in result.targets if target.rank == 0), None)
    return Subject(
        name=study_instance_uid,
        positive=truth.label == Label.PIMA,
        probability=result.probability,
        slice_probabilities=tuple(s.probability for s in result.slices if s.probability is not None),
        confirmed_by=truth.confirmed_by,
        size_mm=truth.size_mm if truth.size_mm is not None else measured,
        age_years=result.age_years,
        sex=Sex(result.sex) if result.sex else None,
        lobe=truth.lobe or "",
        month=result.acquired_month or "",
        site=result.site or "",
        scanner=scanner(result),
        kernel=result.kernel or "",
        slice_thickness_mm=result.slice_thickness_mm,
        hard=truth.hard,
        lung_volume_ml=result.lung_volume_ml,
    )


def scanner(result: Result) -> str:
    return " ".join(part for part in (result.manufacturer, result.scanner_model) if part)


def _in_periods(cases: Sequence[Case]) -> tuple[Case, ...]:
    """Each with its half of the time from the first month to the last; in one month there are no halves."""
    months = sorted({_number_of(case.subject.month) for case in cases if case.subject.month})
    if len(months) < 2:
        return tuple(cases)
    middle = (months[0] + months[-1]) / 2
    return tuple(replace(case, subject=_in_period(case.subject, middle)) for case in cases)


def _in_period(subject: Subject, middle: float) -> Subject:
    if not subject.month:
        return subject
    earlier = _number_of(subject.month) <= middle
    return replace(subject, period=Period.EARLIER if earlier else Period.LATER)


def _number_of(month: str) -> int:
    year, number = month.split("-")
    return 12 * int(year) + int(number)
