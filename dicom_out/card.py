"""The summary card: the first picture of a result, which says at a glance what was found, or why nothing is scored.

It lies on no slice, so it carries no geometry and is a series of its own, before the other pictures. Nothing of
the patient is on it.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from pydicom.dataset import Dataset

from dicom_out import codes
from dicom_out.captions import CARD_DESCRIPTION, HEADING, WARNING
from dicom_out.capture import key_slices
from dicom_out.card_layout import Fact, Note, Refusal, Score, Words, card_picture
from dicom_out.header import SourceSeries
from dicom_out.identity import Kind, Provenance, ResultName
from dicom_out.secondary import Numbering, derive, secondary_capture
from dicom_out.statements import NOT_REVIEWED, ascii_text, in_sentences, model_statements, percent, selection
from dicom_out.views import View, views
from inference.findings import Analysis, Label, ScoredSlice, SlicePolicy

SERIES_NUMBER = 9000
_MOST_SENTENCES = 5  # of one kind; the report has them all
_DIGEST_LETTERS = 12


def card(analysis: Analysis, series: SourceSeries, provenance: Provenance) -> Dataset:
    """The Secondary Capture of the whole result; one without a score or a target has it too."""
    scored = telling_slice(analysis)
    said = words(analysis, series)
    shown = () if scored is None else tuple(_views(analysis, scored, series))
    ds = secondary_capture(
        card_picture(said, shown),
        Numbering(Kind.CARD_SERIES, SERIES_NUMBER, Kind.CARD, 1),
        ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance),
        series.reference,
        (analysis.classifier, analysis.segmenter),
    )
    ds.SeriesDescription = CARD_DESCRIPTION
    ds.ImageComments = _in_words(said)
    ds.DerivationDescription = "A summary of the result in words, with views of one slice."
    if scored is not None:
        derive(ds, [series[scored.sop_instance_uid]], aligned=False)
    return ds


def telling_slice(analysis: Analysis) -> ScoredSlice | None:
    """The key slice that shows most of the target, not the one with the highest score; then the one with most heat."""

    def shows(scored: ScoredSlice) -> tuple[int, float]:
        heat = 0.0 if scored.heat is None else float(scored.heat.sum(dtype=np.float64))
        return int(np.count_nonzero(scored.lesion)), heat

    return max(key_slices(analysis), key=shows, default=None)


def words(analysis: Analysis, series: SourceSeries) -> Words:
    """What is to be read on the card; texts from elsewhere in ASCII."""
    return Words(
        heading=HEADING,
        warning=" - ".join(WARNING),
        result=_result(analysis),
        notes=(*_policy(analysis), *map(Note, model_statements(analysis))),
        facts=tuple(fact for fact in _facts(analysis, series) if fact.sentences),
        ending=f"{NOT_REVIEWED}. Everything else is in the report of this result.",
    )


def _result(analysis: Analysis) -> Score | Refusal:
    if analysis.probability is None or analysis.label is None:
        return Refusal(_headline(analysis), _reasons(analysis))
    pooled = "mean of the slices"
    return Score(
        label=analysis.label,
        meaning=codes.CLASSES[analysis.label].meaning,
        number=f"{percent(analysis.probability)} %",
        notes=("model probability of PIMA", f"{pooled}, calibrated" if analysis.calibration else pooled),
        probability=analysis.probability,
        threshold=analysis.threshold,
        threshold_words=f"PIMA from {percent(analysis.threshold)} % up",
        ends=(Label.IPN, Label.PIMA),
    )


def _headline(analysis: Analysis) -> str:
    if analysis.abstained_for:
        return "NOT ASSESSED"
    return "NO TARGET FOUND" if analysis.slice_policy is SlicePolicy.NONE else "NO SCORE"


def _reasons(analysis: Analysis) -> tuple[str, ...]:
    return _first(quality.text for quality in analysis.abstained_for) or selection(analysis)[-1:]


def _policy(analysis: Analysis) -> Iterator[Note]:
    """Whose the target is; that there is none is the headline, unless that is an abstention."""
    policy = analysis.slice_policy
    if policy is not SlicePolicy.NONE or analysis.abstained_for:
        yield Note(codes.POLICIES[policy].meaning, caution=policy is not SlicePolicy.ANNOTATED)


def _facts(analysis: Analysis, series: SourceSeries) -> Iterator[Fact]:
    yield Fact("Slices", tuple(_slices(analysis, series)))
    yield Fact("Target", tuple(_target(analysis)))
    if analysis.consistency is not None:
        spread, flip = percent(analysis.consistency.spread), percent(analysis.consistency.flip)
        said = f"slices spread by {spread} %; mirroring shifts the result by {flip} %"
        yield Fact("Consistency", (said,))
    other = (q.text for q in analysis.input_quality if q not in analysis.abstained_for)
    yield Fact("Input", _first(other), caution=True)
    model = analysis.classifier
    build = f", sha256 {model.digest[:_DIGEST_LETTERS]}" if model.digest else ""
    yield Fact("Model", (ascii_text(f"{model.name}, version {model.version}{build}"),))
    yield Fact("Limits", tuple(filter(None, (" ".join(_first(model.limits)),))), small=True)


def _slices(analysis: Analysis, series: SourceSeries) -> Iterator[str]:
    slices = analysis.slices
    if not slices:
        return
    count = f"{len(slices)} slice" if len(slices) == 1 else f"{len(slices)} slices"
    what = "scored" if analysis.probability is not None else "with the target, not scored"
    deepest = max(len(scored.source_uids) for scored in slices)
    slab = f", each a mean of up to {deepest}" if deepest > 1 else ""
    yield f"{count} {what}{slab}{_range(slices)}{of_series(series)}"


def _range(slices: Iterable[ScoredSlice]) -> str:
    """Of the instance numbers that are known."""
    numbers = sorted(s.instance_number for s in slices if s.instance_number is not None)
    if not numbers:
        return ""
    low, high = numbers[0], numbers[-1]
    return f": image {low}" if low == high else f": images {low} to {high}"


def of_series(series: SourceSeries) -> str:
    """The number by which a viewer calls the analysed series."""
    try:
        return f" of series {int(series.reference.SeriesNumber)}"
    except (AttributeError, TypeError, ValueError):
        return ""


def _target(analysis: Analysis) -> Iterator[str]:
    if analysis.target is None:
        return
    size_mm, others = analysis.target.size_mm, len(analysis.other_candidates)
    long_axis = [] if size_mm is None else [f"long axis {size_mm:.1f} mm"]
    beside = [f"{others} other candidate{'s' if others > 1 else ''} not scored"] if others else []
    if long_axis or beside:
        yield "; ".join((*long_axis, *beside))


def _views(analysis: Analysis, scored: ScoredSlice, series: SourceSeries) -> Iterator[View]:
    number = "a slice" if scored.instance_number is None else f"image {scored.instance_number}"
    score = "" if scored.probability is None else f": PIMA {percent(scored.probability)} %"
    evidence = f"evidence for {analysis.label} in red"
    return views(scored, series[scored.sop_instance_uid], title=f"{number}{score}", evidence=evidence)


def _first(sentences: Iterable[str]) -> tuple[str, ...]:
    """As many as a glance takes in, and how many more the report has."""
    said = tuple(ascii_text(sentence) for sentence in sentences)
    if len(said) <= _MOST_SENTENCES:
        return said
    shown = _MOST_SENTENCES - 1
    return (*said[:shown], f"And {len(said) - shown} more: see the report.")


def _in_words(said: Words) -> str:
    """For whoever cannot see the picture: all but the facts."""
    match said.result:
        case Refusal(headline, reasons):
            result = (headline, *reasons)
        case Score() as score:
            result = (f"{score.label}: {score.number}, {', '.join((*score.notes, score.threshold_words))}",)
    return in_sentences((said.warning, *(note.text for note in said.notes), *result))
