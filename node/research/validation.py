"""What the report of a site validation is written from: rows in, a `Source` out. Start at `source_of`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from config.settings import Settings
from db import studies as rows
from db import truths
from db.models import Result, Truth
from db.session import Sessions, only_read
from db.studies import Study
from inference.bundle import BadBundle, Bundle
from inference.evaluation.by_class import of_subjects
from inference.evaluation.chapters.printed import estimate, sentence
from inference.evaluation.drift import Reading
from inference.evaluation.drift_section import drift_section
from inference.evaluation.estimate import NotComputable
from inference.evaluation.section import Section, Table
from inference.evaluation.source import Model, Source
from inference.evaluation.subject import probabilities_of, truth_of
from inference.evaluation.summary import summary
from node import app
from node.research.second_model import agreement_with, second_of
from node.research.selection import (
    Asked,
    CannotValidate,
    Policy,
    Rules,
    Selected,
    model_named,
    models,
    newest,
    scanner,
    select,
)
from node.research.subgroup import condition


def source_of(sessions: Sessions, settings: Settings, asked: Asked) -> Source:
    """Raises CannotValidate, or BadSubgroup."""
    conditions = tuple(condition(text) for text in asked.subgroup)
    with sessions() as session:
        only_read(session)
        studies = rows.received(session, since=asked.since, until=asked.until)
        known = truths.standing(session)
    rules = Rules(model_named(models(studies), asked.model, "--model"), asked.policy, conditions)
    selected = select(studies, known, rules)
    if not selected.scored:
        raise CannotValidate(_why_nobody(selected))
    source = _source(selected, asked, settings)
    further = [*_other_ways(studies, known, rules, source), _drift(studies, source)]
    if asked.against is None:
        return replace(source, further=tuple(further))
    second = second_of(studies, rules, asked.against)
    section = agreement_with(second, studies, known, rules, source)
    return replace(
        source, further=(section, *further), rivals={second.name: second.subjects(source.subjects)}
    )


def _why_nobody(selected: Selected) -> str:
    reasons = "; ".join(f"{e.patients} {e.reason}" for e in selected.flow.excluded)
    return f"of {selected.flow.screened} studies none can be validated: {reasons}"


def _source(selected: Selected, asked: Asked, settings: Settings) -> Source:
    first = selected.cases[0].result
    bundle = _configured(first.classifier_digest, settings)
    model = _model(first, bundle)
    return Source(
        title=f"Validation on site: {first.classifier} {first.classifier_version}",
        data=" ".join(_data(selected, asked)),
        model=replace(model, limits=(*_LIMITS, *model.limits)),
        threshold=first.threshold,
        subjects=selected.subjects,
        flow=selected.flow,
        calibrated=_calibrated(first, bundle),
        names="Study Instance UIDs, which are for the site alone,",
    )


def _data(selected: Selected, asked: Asked) -> Iterator[str]:
    yield "Studies that this node received"
    if asked.since is not None:
        yield f"from {asked.since:%Y-%m-%d}"
    if asked.until is not None:
        yield f"before {asked.until:%Y-%m-%d}"
    yield "and scored, each by its newest result that stands; their truth was imported."
    lungs = sorted({f"{c.result.segmenter} {c.result.segmenter_version}" for c in selected.cases})
    yield f"Lungs by {' and by '.join(lungs)}."
    yield f"Slices: {_IN_WORDS[asked.policy]}."
    if asked.subgroup:
        yield f"Only patients with {', '.join(asked.subgroup)}: a choice of whoever made the report."


_LIMITS = (
    "Each study counts as a patient of its own: the node keeps nothing by which two of one could be told.",
    (
        "Only studies whose truth was imported count. Who was operated on or followed up is a selection: sensitivity "
        "and specificity may differ in the others."
    ),
    (
        "Whether the model was trained or calibrated on some of these patients is not recorded here; if it was, the "
        "figures are optimistic."
    ),
    "The size of a nodule is the imported one, else that of the scored target. Days are those of UTC.",
)

_IN_WORDS = {
    Policy.ANNOTATED: "as a person marked them",
    Policy.AUTOMATIC: "as the node found them itself, unconfirmed",
    Policy.ALL: "as a person marked them, or as the node found them",
}


def _model(result: Result, bundle: Bundle | None) -> Model:
    """With what its bundle says, where that bundle is configured."""
    plain = Model(result.classifier, result.classifier_version, result.classifier_digest)
    if bundle is None:
        return replace(
            plain,
            limits=(
                "Its bundle is not configured on this node, so that its own statements and limits are not named.",
            ),
        )
    card = bundle.card
    return replace(
        plain,
        training_data=card.training_data,
        preprocessing=card.preprocessing.statement,
        statements=card.statements,
        limits=card.limits,
    )


def _calibrated(result: Result, bundle: Bundle | None) -> Callable[[float], float] | None:
    """From a slice's score to the scale of the threshold."""
    if bundle is not None:
        return bundle.card.calibrated
    return None if result.calibration else float


def _configured(digest: str, settings: Settings) -> Bundle | None:
    for opened in (app.open_bundle, app.open_candidate):
        with suppress(BadBundle):
            bundle = opened(settings)
            if bundle is not None and bundle.digest == digest:
                return bundle
    return None


def _other_ways(
    studies: Sequence[Study], known: Mapping[str, Truth], rules: Rules, source: Source
) -> Iterator[Section]:
    """The same model on slices found in the other way, apart from the figures of the report."""
    for policy in (Policy.ANNOTATED, Policy.AUTOMATIC):
        if rules.policy in (policy, Policy.ALL):
            continue
        selected = select(studies, known, replace(rules, policy=policy))
        if selected.scored:
            yield _apart(policy, selected, source)


def _apart(policy: Policy, selected: Selected, source: Source) -> Section:
    truth = truth_of(selected.scored)
    found = summary(truth, probabilities_of(selected.scored), threshold=source.threshold, seed=source.seed)
    auc = found.auc if isinstance(found.auc, NotComputable) else found.auc.auc
    figures = {"AUC": auc, "sensitivity": found.sensitivity, "specificity": found.specificity}
    return Section(
        f"Slices {_IN_WORDS[policy]}",
        paragraphs=(_beside_the_report(selected),),
        tables=(
            Table(
                "The same model and threshold, with 95 % intervals",
                ("figure", "value"),
                tuple((name, sentence(estimate(figure))) for name, figure in figures.items()),
            ),
        ),
    )


def _beside_the_report(selected: Selected) -> str:
    """Those in which no target was found count too: with slices found by itself a miss matters most."""
    everybody = of_subjects(selected.subjects)
    silent = of_subjects([subject for subject in selected.subjects if subject.probability is None])
    return (
        f"{everybody.both} further studies ({everybody.positive} PIMA) whose truth is known, in no figure of this "
        f"report; {silent.both} of them ({silent.positive} PIMA) have no number and are in none of these either."
    )


def _drift(studies: Sequence[Study], source: Source) -> Section:
    found = (newest(study, source.model.digest) for study in studies)
    readings = [
        Reading(r.acquired_month or "", scanner(r), r.probability, r.lung_volume_ml)
        for r in found
        if r is not None
    ]
    return drift_section(readings, threshold=source.threshold)
