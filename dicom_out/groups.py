"""The measurement groups of the report (TID 1501): the patient, the target, candidates, the lungs, the slices."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from highdicom.sr.content import FindingSite, SourceImageForMeasurement, SourceImageForMeasurementGroup
from highdicom.sr.enum import RelationshipTypeValues
from highdicom.sr.templates import (
    AlgorithmIdentification,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    TrackingIdentifier,
)
from highdicom.sr.value_types import (
    CompositeContentItem,
    ContentSequence,
    ImageContentItem,
    TextContentItem,
    UIDRefContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from dicom_out import codes
from dicom_out.capture import key_slices
from dicom_out.card import of_series
from dicom_out.equipment import algorithm_identification
from dicom_out.header import SourceSeries
from dicom_out.identity import Kind, ResultName, candidate_search
from dicom_out.statements import (
    DISCLAIMER,
    LIMITATIONS,
    QUESTION,
    STEADINESS,
    ascii_text,
    model_statements,
    percent,
    position,
    selection,
)
from inference.findings import AlgorithmIdentity, Analysis, Mark, ScoredSlice, SlicePolicy, Target


@dataclass(frozen=True)
class Scope:
    """What the groups speak of."""

    analysis: Analysis
    series: SourceSeries
    card: Dataset
    pictures: tuple[Dataset, ...]  # of the key slices, in their order
    marking: Dataset | None  # the header of the annotation that the slices were selected by
    name: ResultName


Group = MeasurementsAndQualitativeEvaluations


def measurement_groups(scope: Scope) -> Iterator[Group]:
    analysis = scope.analysis
    yield _result(scope)
    if analysis.target is not None:
        yield _target(scope, analysis.target, Kind.TARGET, 0, "Target")
    for number, candidate in enumerate(analysis.other_candidates, start=1):
        yield _target(scope, candidate, Kind.CANDIDATE, number, f"Candidate {number}, not scored")
    yield _lungs(scope)
    for number, (scored, picture) in enumerate(
        zip(key_slices(analysis), scope.pictures, strict=True), start=1
    ):
        yield _key_slice(scope, scored, picture, number)
    if analysis.probability is not None:
        yield _all_slices(scope)


def _result(scope: Scope) -> Group:
    analysis = scope.analysis
    evaluations = [QualitativeEvaluation(codes.SLICE_SELECTION, codes.POLICIES[analysis.slice_policy])]
    if analysis.label is not None:
        evaluations.insert(0, QualitativeEvaluation(codes.PREDICTED_CLASS, codes.CLASSES[analysis.label]))
    evaluations += (
        QualitativeEvaluation(codes.QUALITY_FINDING, codes.QUALITY_FINDINGS[code])
        for code in dict.fromkeys(finding.code for finding in analysis.input_quality)
    )
    group = _group(
        scope,
        (Kind.RESULT, 0, "PIMA-IPN patient-level result"),
        analysis.classifier,
        measurements=list(_result_measurements(analysis)),
        evaluations=evaluations,
        images=dict.fromkeys(uid for scored in analysis.slices for uid in scored.source_uids),
    )
    _say(group, codes.QUESTION, (QUESTION,))
    _say(group, codes.SLICES_OF_TARGET, (_images(_as_numbered(analysis.slices)) + of_series(scope.series),))
    group[0].ContentSequence.append(
        UIDRefContentItem(
            codes.SERIES_INSTANCE_UID, analysis.series_instance_uid, RelationshipTypeValues.CONTAINS
        )
    )
    _say(group, codes.COMMENT, (DISCLAIMER, *selection(analysis)))
    _say(group, codes.COMMENT, () if analysis.consistency is None else (STEADINESS,))
    _say(group, codes.MODEL_STATEMENT, model_statements(analysis))
    _say(group, codes.NOT_ASSESSED, (quality.text for quality in analysis.abstained_for))
    _say(group, codes.CALIBRATION, (analysis.calibration,) if analysis.calibration else ())
    _say(group, codes.INPUT_QUALITY, (quality.text for quality in analysis.input_quality))
    _say(group, codes.LIMITATION, (*LIMITATIONS, *analysis.classifier.limits))
    _show(group, codes.SUMMARY_CARD, scope.card)
    if analysis.selected_by is not None and scope.marking is not None:
        group[0].ContentSequence.append(_selected_by(scope.marking, analysis.selected_by))
    _in_reading_order(group)
    return group


def _as_numbered(slices: Iterable[ScoredSlice]) -> list[ScoredSlice]:
    return sorted(slices, key=lambda scored: scored.instance_number or 0)


def _images(slices: Sequence[ScoredSlice]) -> str:
    """The slices by the numbers that a viewer shows."""
    if not slices:
        return "no image"
    known = (scored.instance_number for scored in slices)
    numbers = ", ".join("one without a number" if number is None else str(number) for number in known)
    return f"image {numbers}" if len(slices) == 1 else f"images {numbers}"


def _in_reading_order(group: Group) -> None:
    """What was asked, of which images, why there is no answer, the answer; references, which many viewers leave out, last."""
    asked = {code.value for code in (codes.QUESTION, codes.SLICES_OF_TARGET, codes.SERIES_INSTANCE_UID)}

    def place(item: Dataset) -> int:
        if item.RelationshipType != RelationshipTypeValues.CONTAINS.value:
            return 0
        if item.ConceptNameCodeSequence[0].CodeValue in asked:
            return 1
        if item.ConceptNameCodeSequence[0].CodeValue == codes.NOT_ASSESSED.value:
            return 2
        return 4 if item.ValueType in ("IMAGE", "COMPOSITE") else 3

    group[0].ContentSequence = ContentSequence(sorted(group[0].ContentSequence, key=place))


def _result_measurements(analysis: Analysis) -> Iterator[Measurement]:
    if analysis.probability is None:
        return
    yield _number(codes.PROBABILITY, percent(analysis.probability), codes.PERCENT, derivation=codes.MEAN)
    yield _number(codes.THRESHOLD, percent(analysis.threshold), codes.PERCENT)
    yield _number(codes.SLICE_COUNT, str(len(analysis.slices)), codes.SLICES)
    if analysis.consistency is not None:
        spread, flip = percent(analysis.consistency.spread), percent(analysis.consistency.flip)
        yield _number(codes.SPREAD, spread, codes.PERCENT, derivation=codes.STANDARD_DEVIATION)
        yield _number(codes.FLIP, flip, codes.PERCENT)


def _target(scope: Scope, target: Target, kind: Kind, number: int, title: str) -> Group:
    automatic = scope.analysis.slice_policy is SlicePolicy.AUTOMATIC
    search = candidate_search(scope.name.provenance.software_version)
    sizes = (
        []
        if target.size_mm is None
        else [_number(codes.LONG_AXIS, f"{target.size_mm:.1f}", codes.MILLIMETER)]
    )
    group = _group(scope, (kind, number, title), search if automatic else None, measurements=sizes)
    if target.position_mm is not None:
        _say(group, codes.POSITION, (position(target.position_mm),))
    return group


def _lungs(scope: Scope) -> Group:
    volume = _number(codes.VOLUME, f"{scope.analysis.lung_volume_ml:.0f}", codes.MILLILITER)
    return _group(scope, (Kind.LUNGS, 0, "Lungs"), scope.analysis.segmenter, measurements=[volume])


def _key_slice(scope: Scope, scored: ScoredSlice, picture: Dataset, number: int) -> Group:
    title = f"Key slice {number if scored.instance_number is None else scored.instance_number}"
    group = _group(
        scope,
        (Kind.KEY_SLICE, number, title),
        scope.analysis.classifier,
        measurements=list(_slice_measurements(scope, scored)),
        images=scored.source_uids,
    )
    _show(group, codes.ILLUSTRATION if scored.heat is None else codes.VISUAL_EXPLANATION, picture)
    return group


def _all_slices(scope: Scope) -> Group:
    measurements = [m for scored in scope.analysis.slices for m in _slice_measurements(scope, scored)]
    title = "Probability of each scored slice"
    group = _group(scope, (Kind.ALL_SLICES, 0, title), scope.analysis.classifier, measurements=measurements)
    _say(group, codes.SLICE_ORDER, (_images(scope.analysis.slices),))
    return group


def _slice_measurements(scope: Scope, scored: ScoredSlice) -> Iterator[Measurement]:
    if scored.probability is not None:
        sources = [SourceImageForMeasurement(*_reference(scope, uid)) for uid in scored.source_uids]
        yield _number(codes.PROBABILITY, percent(scored.probability), codes.PERCENT, sources=sources)


def _group(
    scope: Scope,
    tracking: tuple[Kind, int, str],
    algorithm: AlgorithmIdentity | None,
    *,
    measurements: list[Measurement],
    evaluations: list[QualitativeEvaluation] | None = None,
    images: Iterable[str] = (),
) -> Group:
    kind, number, title = tracking
    about_lesion = kind not in (Kind.LUNGS, Kind.CANDIDATE)
    return Group(
        tracking_identifier=TrackingIdentifier(uid=scope.name.tracking_uid(kind, number), identifier=title),
        finding_type=codes.finding(scope.analysis) if about_lesion else None,
        finding_sites=[FindingSite(anatomic_location=codes.LUNG)],
        algorithm_id=None if algorithm is None else _identified(scope, algorithm),
        measurements=measurements,
        qualitative_evaluations=evaluations,
        source_images=[SourceImageForMeasurementGroup(*_reference(scope, uid)) for uid in images],
    )


def _identified(scope: Scope, algorithm: AlgorithmIdentity) -> AlgorithmIdentification:
    """Only of the classifier is it known that it is a learned one."""
    learned = algorithm == scope.analysis.classifier
    return algorithm_identification(algorithm, codes.ARTIFICIAL_INTELLIGENCE if learned else None)


def _reference(scope: Scope, sop_instance_uid: str) -> tuple[str, str]:
    return str(scope.series[sop_instance_uid].SOPClassUID), sop_instance_uid


def _number(
    name: Code,
    value: str,
    unit: Code,
    *,
    derivation: Code | None = None,
    sources: list[SourceImageForMeasurement] | None = None,
) -> Measurement:
    """A NUM that shows exactly the decimals of `value`."""
    measurement = Measurement(
        name=name, value=float(value), unit=unit, derivation=derivation, referenced_images=sources
    )
    measured = measurement[0].MeasuredValueSequence[0]
    measured.NumericValue = value
    del measured.FloatingPointValue
    return measurement


def _say(group: Group, name: Code, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        group[0].ContentSequence.append(
            TextContentItem(
                name=name, value=ascii_text(sentence), relationship_type=RelationshipTypeValues.CONTAINS
            )
        )


def _selected_by(ds: Dataset, mark: Mark) -> ImageContentItem | CompositeContentItem:
    """A segmentation is an image, anything else that marks slices is not (PS3.3 C.17.3.2.1)."""
    if mark.segment is None:
        return CompositeContentItem(
            codes.SELECTED_BY, ds.SOPClassUID, ds.SOPInstanceUID, RelationshipTypeValues.CONTAINS
        )
    return ImageContentItem(
        codes.SELECTED_BY,
        ds.SOPClassUID,
        ds.SOPInstanceUID,
        referenced_segment_numbers=mark.segment,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )


def _show(group: Group, name: Code, picture: Dataset) -> None:
    group[0].ContentSequence.append(
        ImageContentItem(
            name=name,
            referenced_sop_class_uid=picture.SOPClassUID,
            referenced_sop_instance_uid=picture.SOPInstanceUID,
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
    )
