"""The same report as another SOP class, for a destination that does not take Comprehensive 3D SR."""

from collections.abc import Iterator
from copy import deepcopy

from pydicom.dataset import Dataset
from pydicom.uid import UID, Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from dicom_out.content_items import items
from dicom_out.finding import Finding
from dicom_out.identity import Kind, ResultName

CLASSES = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)
"""In which order they are offered; the content of our reports is allowed in each (PS3.3 A.35.13, A.35.3, A.35.2)."""


class NotOurReport(ValueError):
    """An object that is not the report of the named result, or a class that no report of ours has."""


def in_class(report: Dataset, sop_class_uid: str, name: ResultName) -> Dataset:
    """A copy of the report on the result `name`, as read from its file, with the class and UIDs of its own.

    All else, the UIDs under which things are tracked included, stays byte for byte. Raises NotOurReport.
    """
    given = str(report.get("SOPClassUID", ""))
    if given not in CLASSES or report.get("SOPInstanceUID") != name.uid(given, Kind.REPORT):
        raise NotOurReport(
            f"{report.get('SOPInstanceUID')} of class {given} is not the report of this result"
        )
    if sop_class_uid not in CLASSES:
        raise NotOurReport(f"{sop_class_uid} is none of the classes of a report")
    ds = deepcopy(report)
    ds.SOPClassUID = UID(sop_class_uid)
    ds.SOPInstanceUID = name.uid(sop_class_uid, Kind.REPORT)
    ds.SeriesInstanceUID = name.uid(sop_class_uid, Kind.REPORT_SERIES)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def class_findings(report: Dataset) -> Iterator[Finding]:
    """What the class of the report does not allow in it, of all that a Comprehensive 3D SR may have."""
    if report.get("SOPClassUID") == Comprehensive3DSRStorage:
        return
    for item in items(report):
        if item.value_type == "SCOORD3D":
            yield Finding.of(report, item.where, "SCOORD3D", "none in this class (PS3.3 A.35.3.3, A.35.2.3)")
        elif report.get("SOPClassUID") == EnhancedSRStorage:
            nested = item.value_type == "CONTAINER" and item.above not in ("", "CONTAINER")
            if nested or "ReferencedContentItemIdentifier" in item.item:
                given = f"a container below {item.above}" if nested else "a relationship by reference"
                yield Finding.of(report, item.where, given, "none in Enhanced SR (PS3.3 A.35.2.3)")
