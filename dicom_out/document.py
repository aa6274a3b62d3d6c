"""The check of a document's content: item by item, and then by its template, TID 1500 or TID 2010 (PS3.16)."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage

from dicom_out import codes
from dicom_out.content_items import Item, root
from dicom_out.finding import Finding
from dicom_out.measurement_report import report_findings
from dicom_out.quantities import number_findings
from dicom_out.relationships import IMAGES, item_findings
from dicom_out.template import template_of

_KEY_OBJECT_TITLES = frozenset({"113009"})  # (DCM, "For Research") of CID 7010
_PICTURE_NAMES = {
    (code.value, code.scheme_designator) for code in (codes.VISUAL_EXPLANATION, codes.ILLUSTRATION)
}


def content_findings(ds: Dataset) -> Iterator[Finding]:
    """What is wrong with the content of a report or Key Object Selection."""
    whole = root(ds)
    for item in whole.walk():
        yield from item_findings(ds, item)
        if item.value_type == "NUM":
            yield from number_findings(ds, item)
        elif item.value_type == "IMAGE" and item.name in _PICTURE_NAMES:
            yield from _picture_findings(ds, item)
    if ds.SOPClassUID == KeyObjectSelectionDocumentStorage:
        yield from _key_object_findings(ds, whole)
    else:
        yield from report_findings(ds, whole)


def _picture_findings(ds: Dataset, item: Item) -> Iterator[Finding]:
    for reference in item.item.get("ReferencedSOPSequence") or ():
        if reference.get("ReferencedSOPClassUID") != SecondaryCaptureImageStorage:
            given = str(reference.get("ReferencedSOPClassUID"))
            yield Finding.of(ds, item.where, given, "a Secondary Capture")


def _key_object_findings(ds: Dataset, whole: Item) -> Iterator[Finding]:
    """TID 2010: at least one object, none of them with a purpose of reference."""
    title, _ = whole.name
    if title not in _KEY_OBJECT_TITLES:
        yield Finding.of(ds, "ConceptNameCodeSequence", title, "113009 For Research (CID 7010)")
    _, template = template_of(ds)
    if template != "2010":
        yield Finding.of(ds, "ContentTemplateSequence", template or "absent", "DCMR 2010")
    named = [item for item in whole.walk() if item.value_type in IMAGES]
    if not named:
        yield Finding.of(ds, "ContentSequence", "no object", "at least one (TID 2010)")
    for item in named:
        if "ConceptNameCodeSequence" in item.item:
            yield Finding.of(ds, item.where, "a purpose of reference", "none (TID 2010 row 8)")
