"""The check of every result object before it is sent: what is wrong with it, by the standard and by what was decided.

It looks at the objects as they were read from their files, and takes nothing from how they were made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.config import RAISE, disable_value_validation
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import (
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pydicom.valuerep import validate_value

from dicom_out.document import content_findings
from dicom_out.evidence import evidence_findings, instances, reference_findings
from dicom_out.finding import Finding
from dicom_out.header import PATIENT_AND_STUDY, SourceSeries, differing, same
from dicom_out.identity import IMPLEMENTATION_CLASS_UID
from dicom_out.iods import attribute_findings
from dicom_out.report_classes import class_findings
from dicom_out.vocabulary import code_findings
from dicom_out.walk import Place, places
from dicom_out.withdrawal import withdrawal_findings
from dicom_out.wording import (
    card_findings,
    comment_findings,
    heading_findings,
    identifying,
    is_card,
    overlay_findings,
    patient_findings,
    said_by,
)

_SHOWN = (
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    ParametricMapStorage,
    GrayscaleSoftcopyPresentationStateStorage,
)
_PLACE = (
    "FrameOfReferenceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)
_OF_A_SERIES = (
    *("Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime", "FrameOfReferenceUID"),
    *("Manufacturer", "DeviceSerialNumber", "SoftwareVersions", "DeviceUID"),
)
_META = {
    "MediaStorageSOPClassUID": "SOPClassUID",
    "MediaStorageSOPInstanceUID": "SOPInstanceUID",
}
_WRITTEN_AS_TEXT = frozenset({"DS", "IS", "PN"})


@dataclass(frozen=True)
class _Result:
    """What the objects of one analysis are held against."""

    objects: tuple[Dataset, ...]
    series: SourceSeries
    annotations: tuple[Dataset, ...]  # headers

    @property
    def reports(self) -> list[Dataset]:
        return [ds for ds in self.objects if _is_report(ds)]

    @property
    def shown(self) -> list[Dataset]:
        return [ds for ds in self.objects if ds.get("SOPClassUID") in _SHOWN]

    def source_of(self, ds: Dataset) -> Dataset:
        """The source whose patient and study `ds` should have: of a picture its slice, else the reference."""
        for item in ds.get("SourceImageSequence") or ():
            if item.get("ReferencedSOPInstanceUID") in self.series.by_uid:
                return self.series[str(item.ReferencedSOPInstanceUID)]
        return self.series.reference


def findings(
    objects: Sequence[Dataset], sources: Sequence[Dataset], annotations: Sequence[Dataset] = ()
) -> tuple[Finding, ...]:
    """All that is wrong with the objects of one result.

    `sources` are the headers of the analysed series, `annotations` those of the objects that marked it.

    Attributes are decoded on the way, so the objects should not be written afterwards. Values that are copied
    from the source are not judged: a fault of theirs is the source's own. Raises SourceMissing without a source.
    """
    with disable_value_validation():  # what pydicom would say while it decodes is found below
        return tuple(_findings(_Result(tuple(objects), SourceSeries.of(sources), tuple(annotations))))


def note_findings(note: Dataset, objects: Sequence[Dataset]) -> tuple[Finding, ...]:
    """All that is wrong with the rejection note that withdraws exactly `objects`, at least one, all as read from files.

    As in `findings`, attributes are decoded on the way, and what is copied from the objects is not judged.
    """
    with disable_value_validation():
        return tuple(_note_findings(note, objects))


def _note_findings(note: Dataset, objects: Sequence[Dataset]) -> Iterator[Finding]:
    every = tuple(places(note, PATIENT_AND_STUDY))
    source = min(objects, key=lambda ds: len(differing(ds, note, PATIENT_AND_STUDY)))
    yield from attribute_findings(note, every)
    yield from _value_findings(note, every, source)
    yield from _meta_findings(note)
    for keyword in differing(source, note, PATIENT_AND_STUDY):
        yield Finding.of(note, keyword, "not as in the withdrawn objects", "the same as in one of them")
    yield from code_findings(note, every)
    for finding in content_findings(note):
        if finding.where != "ConceptNameCodeSequence":  # a selection of ours has another title
            yield finding
    yield from withdrawal_findings(note, objects)
    yield from heading_findings(note)
    yield from patient_findings(note, every, identifying(objects))
    yield from reference_findings(note, every, instances(objects))


def _findings(result: _Result) -> Iterator[Finding]:
    known = instances((*result.series.by_uid.values(), *result.annotations, *result.objects))
    words = identifying(tuple(result.series.by_uid.values()))
    said = [said_by(report) for report in result.reports]
    for ds in result.objects:
        every = tuple(places(ds, PATIENT_AND_STUDY))
        yield from attribute_findings(ds, every)
        yield from _value_findings(ds, every, result.source_of(ds))
        yield from _meta_findings(ds)
        yield from _source_findings(ds, result)
        yield from code_findings(ds, every)
        if _is_document(ds):
            yield from content_findings(ds)
        if _is_report(ds):
            yield from class_findings(ds)
        if ds.get("SOPClassUID") == SecondaryCaptureImageStorage:
            yield from (card_findings if is_card(ds) else comment_findings)(ds, said)
        if ds.get("SOPClassUID") == GrayscaleSoftcopyPresentationStateStorage:
            yield from overlay_findings(ds, said)
        if ds.get("SOPClassUID") == ParametricMapStorage:
            yield from _map_findings(ds)
        yield from heading_findings(ds)
        yield from patient_findings(ds, every, words)
        yield from reference_findings(ds, every, known)
    if result.objects and not result.reports:
        yield Finding.of(result.objects[0], "result", "no report", "the report on it")
    for report in result.reports:
        yield from evidence_findings(report, result.shown)
    yield from _series_findings(result)


def _is_document(ds: Dataset) -> bool:
    return ds.get("Modality") in ("SR", "KO") or "ValueType" in ds


def _is_report(ds: Dataset) -> bool:
    return _is_document(ds) and ds.get("SOPClassUID") != KeyObjectSelectionDocumentStorage


def _value_findings(ds: Dataset, every: Sequence[Place], source: Dataset) -> Iterator[Finding]:
    """Values that do not fit their VR (PS3.5 6.2), UIDs among them."""
    for place in every:
        for tag in list(place.item.keys()):
            where = place.below(_name(tag))
            if not place.path and (_name(tag) in PATIENT_AND_STUDY or _copied(source, ds, tag)):
                continue
            try:
                element = place.item[tag]
            except (ValueError, TypeError, OverflowError, NotImplementedError):  # of other words than numbers
                yield Finding.of(ds, where, "a value that cannot be decoded", "a value of its VR")
                continue
            if not _fits(element):
                yield Finding.of(
                    ds, where, f"a value that is no {element.VR}", "a value of its VR (PS3.5 6.2)"
                )


def _copied(source: Dataset, ds: Dataset, tag: BaseTag) -> bool:
    return tag in source and same(source, ds, tag)


def _name(tag: BaseTag) -> str:
    return keyword_for_tag(tag) or str(tag)


def _fits(element: DataElement) -> bool:
    values = element.value if isinstance(element.value, MultiValue | list) else (element.value,)
    try:
        for value in values:
            as_read = str(value) if element.VR in _WRITTEN_AS_TEXT and value is not None else value
            validate_value(element.VR, as_read, RAISE)
    except ValueError:
        return False
    return True


def _meta_findings(ds: Dataset) -> Iterator[Finding]:
    """The file meta information (PS3.10 7.1) is of this object and of this program."""
    meta = getattr(ds, "file_meta", None) or Dataset()
    for keyword, of in _META.items():
        if meta.get(keyword) != ds.get(of):
            yield Finding.of(ds, keyword, str(meta.get(keyword)), f"the {of} of the object")
    if meta.get("TransferSyntaxUID") != ExplicitVRLittleEndian:  # the only one that `stamp` declares
        given = str(meta.get("TransferSyntaxUID"))
        yield Finding.of(ds, "TransferSyntaxUID", given, ExplicitVRLittleEndian)
    if meta.get("ImplementationClassUID") != IMPLEMENTATION_CLASS_UID:
        given = str(meta.get("ImplementationClassUID"))
        yield Finding.of(ds, "ImplementationClassUID", given, IMPLEMENTATION_CLASS_UID)


def _source_findings(ds: Dataset, result: _Result) -> Iterator[Finding]:
    """Patient and study are those of one source, the place that of the slice shown."""
    source = result.source_of(ds)
    wrong = differing(source, ds, PATIENT_AND_STUDY)
    if wrong and any(not differing(other, ds, PATIENT_AND_STUDY) for other in result.series.by_uid.values()):
        wrong = []
    if ds.get("SOPClassUID") == SecondaryCaptureImageStorage:
        wrong += [] if is_card(ds) else differing(source, ds, _PLACE)
    elif ds.get("SOPClassUID") in (SegmentationStorage, ParametricMapStorage):
        wrong += differing(source, ds, _PLACE[:1])
    for keyword in wrong:
        yield Finding.of(ds, keyword, "not as in the source", "the same as in the source")


def _map_findings(ds: Dataset) -> Iterator[Finding]:
    """A map has no number that its mapping does not cover, and no NaN (PS3.3 C.7.6.16.2.11)."""
    stored = bytes(ds.get("FloatPixelData") or b"")
    values = np.frombuffer(stored[: len(stored) // 4 * 4], "<f4")
    if not ((values >= 0.0) & (values <= 1.0)).all():
        yield Finding.of(ds, "FloatPixelData", "numbers that are not mapped", "numbers from 0 to 1")


def _series_findings(result: _Result) -> Iterator[Finding]:
    """Objects have UIDs of their own; those of one series agree in what a series says."""
    sources = result.series.by_uid.values()
    taken = {str(ds.SOPInstanceUID) for ds in sources}
    series_of_sources = {str(ds.get("SeriesInstanceUID")) for ds in sources}
    first: dict[str, Dataset] = {}
    for ds in result.objects:
        uid, series = str(ds.get("SOPInstanceUID")), str(ds.get("SeriesInstanceUID"))
        if uid in taken:
            yield Finding.of(ds, "SOPInstanceUID", uid, "one that no other object has")
        taken.add(uid)
        if series in series_of_sources:
            yield Finding.of(ds, "SeriesInstanceUID", series, "a series of its own")
        for keyword in _OF_A_SERIES:
            if ds.get(keyword) != first.setdefault(series, ds).get(keyword):
                yield Finding.of(ds, keyword, "not as in the rest of its series", "the same")
