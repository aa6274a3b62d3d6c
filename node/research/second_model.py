"""A second model on the same studies: beside the first as a candidate, or in results of its own."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from db.models import CandidateScore, Result, Truth
from db.studies import Study
from inference.evaluation.agreement import Pair
from inference.evaluation.agreement_section import agreement_section
from inference.evaluation.section import Section
from inference.evaluation.source import Source
from inference.evaluation.subject import Subject
from inference.findings import Label
from node.research.selection import CannotValidate, Rules, model_named, newest


@dataclass(frozen=True)
class Second:
    """Its probabilities of studies that the first model scored too, on slices found in the same way."""

    name: str
    threshold: float
    probabilities: Mapping[str, float]  # by study

    def subjects(self, of_first: Sequence[Subject]) -> tuple[Subject, ...]:
        """The patients of the report as this model scores them."""
        return tuple(
            replace(subject, probability=self.probabilities.get(subject.name), slice_probabilities=())
            for subject in of_first
        )


def second_of(studies: Sequence[Study], rules: Rules, beginning: str) -> Second:
    """Raises CannotValidate where no such model, or more than one, has scored what the first has."""
    found = {study.study_instance_uid: list(_others(study, rules)) for study in studies}
    counts = Counter(digest for others in found.values() for digest in {o.classifier_digest for o in others})
    if not counts:
        raise CannotValidate("--against: no second model has scored these studies")
    digest = model_named(counts, beginning, "--against")
    scores = {
        study: next(other for other in others if other.classifier_digest == digest)
        for study, others in found.items()
        if any(other.classifier_digest == digest for other in others)
    }
    first = next(iter(scores.values()))
    return Second(
        f"{first.classifier} {first.classifier_version} ({digest[:12]})",
        first.threshold,
        {study: score.probability for study, score in scores.items() if score.probability is not None},
    )


def _others(study: Study, rules: Rules) -> Iterator[Result | CandidateScore]:
    """Scores of other models: first the candidate's, of the very slices, then results on slices found alike."""
    result = newest(study, rules.model)
    if result is None or result.probability is None or not rules.policy.takes(result):
        return
    if result.candidate is not None and result.candidate.probability is not None:
        yield result.candidate
    for other in study.results:
        alike = other.slice_policy == result.slice_policy and other.probability is not None
        if alike and other.classifier_digest != rules.model:
            yield other


def agreement_with(
    second: Second, studies: Sequence[Study], known: Mapping[str, Truth], rules: Rules, source: Source
) -> Section:
    """On all that both have scored in the period, whether in the report or not, and whatever the subgroup."""
    pairs = []
    for study in studies:
        result, other = newest(study, rules.model), second.probabilities.get(study.study_instance_uid)
        if result is not None and result.probability is not None and other is not None:
            truth = known.get(study.study_instance_uid)
            positive = None if truth is None else truth.label == Label.PIMA
            pairs.append(Pair(result.probability, other, positive))
    return agreement_section(
        pairs,
        (f"{source.model.name} {source.model.version}", second.name),
        first_threshold=source.threshold,
        second_threshold=second.threshold,
    )
