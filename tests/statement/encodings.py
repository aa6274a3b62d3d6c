"""Results that differ in all that can differ: what they still have in common is fixed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cache

from pydicom.dataset import Dataset
from pydicom.uid import (
    ComprehensiveSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from dicom_out.encode import content, encode
from dicom_out.header import TYPE_2
from dicom_out.identity import Predecessor, Provenance, ResultName
from dicom_out.rejection import Reason, rejection_note
from dicom_out.report_classes import CLASSES, in_class
from inference.findings import (
    AlgorithmIdentity,
    Analysis,
    Consistency,
    InputQuality,
    Mark,
    QualityCode,
    SlicePolicy,
    Target,
)
from tests.analyses import EVERYTHING, PROVENANCE, analysis_of, ct_headers
from tests.conformance.sources import read
from tests.conformance.variants import annotation, received, slabs, slices_only

Headers = list[Dataset]


@dataclass(frozen=True)
class Made:
    """The objects of one result by kind, read back from their files, and the CT headers they were made from."""

    sources: Headers
    objects: dict[str, list[Dataset]]
    other_classes: list[Dataset]  # the report for destinations that do not take its class


@cache
def encodings() -> tuple[Made, ...]:
    """Look, do not change."""
    return (
        _plain(),
        _as_different_as_can_be(),
        _abstained(),
        _with_every_quality_finding(),
        _of_marked_slices(),
        _without_target(),
    )


def _plain() -> Made:
    sources = received(ct_headers(rows=128, columns=128))
    return _made(sources, analysis_of(sources), PROVENANCE, Reason.QUALITY)


def _as_different_as_can_be() -> Made:
    sources = received([_another(number, ds) for number, ds in enumerate(ct_headers(rows=96, columns=112))])
    mark = _annotation(sources, SegmentationStorage)
    provenance = Provenance(
        installation_id="another",
        generation=2,
        result_digest="2" * 64,
        at=datetime(2027, 1, 2, 3, 4, 5, 600, tzinfo=timezone(timedelta(hours=9))),
        software_version="9.8.7",
        predecessor=Predecessor("1.2.3.4", "1.2.3.5", ComprehensiveSRStorage),
    )
    analysis = analysis_of(
        sources, scored=slice(1, 11), policy=SlicePolicy.ANNOTATED, size_mm=41.0, probabilities=(0.1, 0.2)
    )
    another = replace(
        slabs(analysis),
        selected_by=Mark(str(mark.SOPInstanceUID), 2),
        threshold=0.4,
        calibration="Calibrated at patient level.",
        consistency=Consistency(spread=0.01, flip=0.02),
        lung_volume_ml=5000.0,
        classifier=AlgorithmIdentity(
            "Another classifier",
            "2",
            "d" * 64,
            manufacturer="Another maker",
            statements=("One statement.", "Another statement."),
            limits=("Another limit.",),
        ),
        segmenter=AlgorithmIdentity("Another segmenter", "3", "e" * 64, manufacturer="A third maker"),
    )
    return _made(sources, another, provenance, Reason.PATIENT_SAFETY, [mark])


def _another(number: int, ds: Dataset) -> Dataset:
    """The header with everything in it changed that a result could take over."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.TimezoneOffsetFromUTC = "+0900"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
        setattr(ds, keyword, f"{ds[keyword].value}.99")
    ds.PositionReferenceIndicator = "XY"
    ds.Manufacturer = "Another"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Roe^R", "Q-1", "19501231", "M"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20270101", "111111", "S2", "A2"
    ds.AcquisitionDate, ds.AcquisitionTime = "20270102", "121212"
    ds.ReferringPhysicianName, ds.StudyDescription = "Other^O", "CT other"
    ds.BodyPartExamined = "LUNG"
    ds.SeriesNumber, ds.InstanceNumber = 77, 101 + number
    ds.SliceThickness = 2.5
    ds.ImagePositionPatient = [-100.0, -90.0, 2.5 * number]
    ds.ImageOrientationPatient = [-0.98480775, -0.17364818, 0, 0.17364818, -0.98480775, 0]
    ds.PixelSpacing = [1.5, 1.25]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1000", "2", "HU"
    ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", "10.5"
    ds.LossyImageCompressionMethod = "ISO_15444_1"
    return ds


def _abstained() -> Made:
    """Without a number, from headers that lack all that may be unknown."""
    bare = ct_headers(rows=96, columns=128)
    for ds in bare:
        for keyword in (
            *TYPE_2,
            "SpecificCharacterSet",
            "AcquisitionDate",
            "AcquisitionTime",
            "SliceThickness",
        ):
            del ds[keyword]
    sources = received(bare)
    analysis = slabs(analysis_of(sources, scored=slice(3, 6))).without_score()
    instead = replace(
        analysis,
        abstained_for=analysis.input_quality,
        other_candidates=(Target((-40.0, 1.0, 2.0), 7.0), Target((-41.0, 3.0, 4.0), 5.0)),
    )
    return _made(sources, instead, _provenance("3"), Reason.QUALITY)


def _with_every_quality_finding() -> Made:
    """On one slice."""
    sources = received(ct_headers(rows=64, columns=64))
    mark = _annotation(sources, RTStructureSetStorage)
    analysis = replace(
        analysis_of(sources, scored=slice(4, 5), policy=SlicePolicy.ANNOTATED, size_mm=12.0),
        selected_by=Mark(str(mark.SOPInstanceUID), None),
        input_quality=tuple(InputQuality(code, f"About {code}.") for code in QualityCode),
    )
    return _made(sources, analysis, _provenance("4"), Reason.PATIENT_SAFETY, [mark])


def _of_marked_slices() -> Made:
    """Named by a Key Object Selection, which gives no place; of images without a frame of reference."""
    unplaced = ct_headers(rows=64, columns=64)
    for ds in unplaced:
        del ds.FrameOfReferenceUID, ds.PositionReferenceIndicator
    sources = received(unplaced)
    mark = _annotation(sources, KeyObjectSelectionDocumentStorage)
    analysis = replace(slices_only(analysis_of(sources)), selected_by=Mark(str(mark.SOPInstanceUID), None))
    return _made(sources, analysis, _provenance("6"), Reason.QUALITY, [mark])


def _without_target() -> Made:
    sources = received(ct_headers(rows=64, columns=64))
    analysis = analysis_of(sources, policy=SlicePolicy.NONE)
    silent = replace(analysis, input_quality=(), classifier=replace(analysis.classifier, statements=()))
    return _made(sources, silent, _provenance("5"), Reason.QUALITY)


def _annotation(sources: Headers, sop_class_uid: str) -> Dataset:
    ds = annotation(1, sop_class_uid)
    ds.StudyInstanceUID = sources[0].StudyInstanceUID
    return ds


def _provenance(number: str) -> Provenance:
    return replace(
        PROVENANCE,
        installation_id=f"site {number}",
        result_digest=number * 64,
        software_version=f"{number}.0",
    )


def _made(
    sources: Headers,
    analysis: Analysis,
    provenance: Provenance,
    reason: Reason,
    annotations: Sequence[Dataset] = (),
) -> Made:
    encoded = encode(analysis, sources, provenance, annotations, **EVERYTHING)
    card, *further, report = result = [read(content(ds)) for ds in encoded]
    name = ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance)
    others = [in_class(report, sop_class, name) for sop_class in CLASSES[1:]]
    later = provenance.at + timedelta(days=3)
    note = rejection_note([*result, *others], reason, name, later, f"{provenance.software_version}.1")
    objects = {
        "summary card": [card],
        "key slice picture": _of_class(further, SecondaryCaptureImageStorage),
        "segmentation": _of_class(further, SegmentationStorage),
        "key object selection": _of_class(further, KeyObjectSelectionDocumentStorage),
        "parametric map": _of_class(further, ParametricMapStorage),
        "presentation state": _of_class(further, GrayscaleSoftcopyPresentationStateStorage),
        "report": [report],
        "rejection note": [read(content(note))],
    }
    return Made(sources, objects, others)


def _of_class(objects: Sequence[Dataset], sop_class_uid: str) -> list[Dataset]:
    return [ds for ds in objects if ds.SOPClassUID == sop_class_uid]
