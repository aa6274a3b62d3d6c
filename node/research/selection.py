"""Which studies of a node a validation is of, and why the others are not: rows in, subjects and a flow out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
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
        by_a_person = result.slice_policy == SlicePolicy.ANNOTATED
        return self is Policy.ALL or by_a_person == (self is Policy.ANNOTATED)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asks for."""

    since: datetime | None = None  # studies received from then
    until: datetime | None = None  # and before then
    model: str | None = None  # the first digits of its bundle's digest; None: the only one there is
    against: str | None = None  # likewise, of a second model
    policy: Policy = Policy.ANNOTATED
    subgroup: tuple[str, ...] = ()  # conditions, in words


@dataclass(frozen=True)
class Case:
    """A study that counts, and the result it counts by."""

    subject: Subject
    result: Result


@dataclass(frozen=True)
class Selected:
    cases: tuple[Case, ...]  # with a number or without
    flow: Flow

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return tuple(case.subject for case in self.cases)

    @property
    def scored(self) -> tuple[Subject, ...]:
        return tuple(subject for subject in self.subjects if subject.probability is not None)


@dataclass(frozen=True)
class Rules:
    model: str  # digest of its bundle
    policy: Policy
    conditions: tuple[Condition, ...] = ()


_WITHOUT_RESULT = {
    State.REJECTED: "refused as not analysable",
    State.FAILED: "analysis failed",
}
_WITHDRAWN = "result withdrawn"
_UNDER_WAY = "no result yet"
_OTHER_MODEL = "result of another model only"
_OTHER_POLICY = {
    Policy.ANNOTATED: "slices not marked by a person",
    Policy.AUTOMATIC: "slices marked by a person",
}
_ABSTAINED = "no number given, and truth not known"
_NO_TRUTH = "truth not known"
_ORDER = (
    *_WITHOUT_RESULT.values(), _WITHDRAWN, _UNDER_WAY, _OTHER_MODEL, *_OTHER_POLICY.values(), _ABSTAINED, _NO_TRUTH,
)  # fmt: skip


def models(studies: Sequence[Study]) -> Counter[str]:
    """How many studies have a standing result of each model, by its digest."""
    return Counter(digest for study in studies for digest in {r.classifier_digest for r in study.results})


def model_named(found: Counter[str], beginning: str | None, option: str) -> str:
    """The one model whose digest begins like this; without a beginning the only one there is."""
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
    cases: list[Case] = []
    against = Counter[str]()
    for study in studies:
        verdict = _judged(study, truths.get(study.study_instance_uid), rules)
        if isinstance(verdict, Case):
            cases.append(verdict)
        else:
            against[verdict] += 1
    kept = _in_periods(cases)
    return Selected(kept, Flow(len(studies), tuple(_excluded(against)), tuple(_groups(kept))))


def _judged(study: Study, truth: Truth | None, rules: Rules) -> Case | str:
    """The case, or why it is none."""
    result = newest(study, rules.model)
    if result is None:
        return _why_no_result(study)
    if not rules.policy.takes(result):
        return _OTHER_POLICY[rules.policy]
    if truth is None:
        return _ABSTAINED if result.probability is None else _NO_TRUTH
    subject = subject_of(study.study_instance_uid, result, truth)
    unmet = next((condition for condition in rules.conditions if not condition(subject)), None)
    return Case(subject, result) if unmet is None else f"not known to have {unmet}"


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


def _groups(cases: Sequence[Case]) -> Iterator[Group]:
    """Those without a number are in the cohort and in no figure."""
    for name, has_number in (("scored", True), ("no number given", False)):
        members = [c for c in cases if (c.subject.probability is not None) is has_number]
        positive = sum(case.subject.positive for case in members)
        if members or has_number:
            yield Group(name, positive, len(members) - positive)


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
