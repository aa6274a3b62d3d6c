"""That a report follows TID 1500 (PS3.16) and IHE AIR 6.5.3.1, and says what was decided for it."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from dicom_out import codes
from dicom_out.content_items import Item
from dicom_out.finding import Finding
from dicom_out.statements import DISCLAIMER
from dicom_out.template import Row, row_findings, template_of

_DEVICE = Code("121007", "DCM", "Device")
_OBSERVER_UID = Code("121012", "DCM", "Device Observer UID")
_OBSERVER_MANUFACTURER = Code("121014", "DCM", "Device Observer Manufacturer")
_OBSERVER_MODEL = Code("121015", "DCM", "Device Observer Model Name")
_PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")
_IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
_MEASUREMENT_GROUP = Code("125007", "DCM", "Measurement Group")
_IMAGE_LIBRARY = Code("111028", "DCM", "Image Library")
_IMAGE_LIBRARY_GROUP = Code("126200", "DCM", "Image Library Group")
_TRACKING_UID = Code("112040", "DCM", "Tracking Unique Identifier")
_FINDING = Code("121071", "DCM", "Finding")
_ALGORITHM_NAME = Code("111001", "DCM", "Algorithm Name")
_ALGORITHM_VERSION = Code("111003", "DCM", "Algorithm Version")
_ALGORITHM_MANUFACTURER = Code("122405", "DCM", "Algorithm Manufacturer")

_ROOT = (
    Row("1204", Code("121049", "DCM", "Language"), "HAS CONCEPT MOD", "CODE", codes.LANGUAGE),
    Row("1002", Code("121005", "DCM", "Observer Type"), "HAS OBS CONTEXT", "CODE", _DEVICE),
    Row("1004", _OBSERVER_UID, "HAS OBS CONTEXT", "UIDREF"),
    Row("1004", _OBSERVER_MANUFACTURER, "HAS OBS CONTEXT", "TEXT"),  # this and the next by IHE AIR 6.5.3.1
    Row("1004", _OBSERVER_MODEL, "HAS OBS CONTEXT", "TEXT"),
    Row("1500", _PROCEDURE_REPORTED, "HAS CONCEPT MOD", "CODE", codes.PROCEDURE_REPORTED),
    Row("1500", _IMAGING_MEASUREMENTS, "CONTAINS", "CONTAINER"),
)
_MEASUREMENTS = (Row("1500", _MEASUREMENT_GROUP, "CONTAINS", "CONTAINER"),)
_GROUP = (
    Row("1501", codes.TRACKING_IDENTIFIER, "HAS OBS CONTEXT", "TEXT"),
    Row("1501", _TRACKING_UID, "HAS OBS CONTEXT", "UIDREF"),
)
_ALGORITHM = (
    Row("4019", _ALGORITHM_NAME, "HAS CONCEPT MOD", "TEXT"),
    Row("4019", _ALGORITHM_VERSION, "HAS CONCEPT MOD", "TEXT"),
    Row("4019", _ALGORITHM_MANUFACTURER, "HAS CONCEPT MOD", "TEXT"),
)
_NEUTRAL_FINDINGS = {codes.NODULE.value, codes.MASS.value, codes.LUNG.value}

_Equipment = set[tuple[str, ...]]
"""Manufacturer, name, and version or Device UID of what contributed."""


def report_findings(ds: Dataset, root: Item) -> Iterator[Finding]:
    """What is wrong with the content of the report `ds`, given by its root."""
    yield from _title_findings(ds, root)
    yield from row_findings(ds, root, "root", _ROOT)
    equipment = _equipment(ds)
    observer = tuple(root.said(row) for row in (_OBSERVER_MANUFACTURER, _OBSERVER_MODEL, _OBSERVER_UID))
    if observer not in equipment:
        yield Finding.of(ds, "device observer", "another", "an item of Contributing Equipment")
    yield from _measurement_findings(ds, root, equipment)
    for library in root.named(_IMAGE_LIBRARY):
        for group in library.named(_IMAGE_LIBRARY_GROUP):
            if not any(child.value_type == "IMAGE" for child in group.children):
                yield Finding.of(ds, "Image Library Group", "no image", "at least one (TID 1600)")
    if not any(item.item.get("TextValue") == DISCLAIMER for item in root.walk()):
        yield Finding.of(ds, "Comment", "no statement of research", "the disclaimer")


def _title_findings(ds: Dataset, root: Item) -> Iterator[Finding]:
    title = codes.TITLE
    if root.name != (title.value, title.scheme_designator):
        expected = f"{title.value} {title.meaning}"
        yield Finding.of(ds, "ConceptNameCodeSequence", " ".join(root.name), expected)
    if (named := template_of(ds)) != ("DCMR", "1500"):
        yield Finding.of(ds, "ContentTemplateSequence", " ".join(named), "DCMR 1500")


def _equipment(ds: Dataset) -> _Equipment:
    return {
        tuple(str(item.get(keyword, "")) for keyword in ("Manufacturer", "ManufacturerModelName", fact))
        for item in ds.get("ContributingEquipmentSequence") or ()
        for fact in ("SoftwareVersions", "DeviceUID")
    }


def _measurement_findings(ds: Dataset, root: Item, equipment: _Equipment) -> Iterator[Finding]:
    tracked: set[str] = set()
    for container in root.named(_IMAGING_MEASUREMENTS):
        yield from row_findings(ds, container, "Imaging Measurements", _MEASUREMENTS)
        for number, group in enumerate(container.named(_MEASUREMENT_GROUP), start=1):
            yield from _group_findings(ds, group, f"Measurement Group {number}", equipment)
            uid = group.said(_TRACKING_UID)
            if uid in tracked:
                yield Finding.of(ds, "Tracking Unique Identifier", uid, "another in every group")
            tracked.add(uid)


def _group_findings(ds: Dataset, group: Item, where: str, equipment: _Equipment) -> Iterator[Finding]:
    yield from row_findings(ds, group, where, _GROUP)
    if group.named(_ALGORITHM_NAME):
        yield from row_findings(ds, group, where, _ALGORITHM)
        algorithm = tuple(
            group.said(code) for code in (_ALGORITHM_MANUFACTURER, _ALGORITHM_NAME, _ALGORITHM_VERSION)
        )
        if algorithm not in equipment:
            expected = "an item of Contributing Equipment (IHE AIR 6.5.3.1)"
            yield Finding.of(ds, f"{where} > algorithm", "another", expected)
    for finding in group.named(_FINDING):
        value, _ = finding.value
        if value not in _NEUTRAL_FINDINGS:
            yield Finding.of(ds, f"{where} > Finding", value, "a nodule or mass, and no diagnosis")
    if group.named(codes.PREDICTED_CLASS) and not group.named(codes.PROBABILITY):
        yield Finding.of(ds, f"{where} > Predicted class", "a class alone", "its probability beside it")
