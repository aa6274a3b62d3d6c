"""The content of a report: the relationships of PS3.3 C.17.3, the rows of TID 1500 and TID 2010 (PS3.16), our codes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code
from pydicom.uid import KeyObjectSelectionDocumentStorage, SecondaryCaptureImageStorage

from dicom_out import codes
from dicom_out.finding import Finding
from dicom_out.statements import DISCLAIMER
from dicom_out.walk import Place, lacking


@dataclass(frozen=True)
class Row:
    """A mandatory row of a template: at least one child of this name, with that relationship and type."""

    tid: str
    name: Code
    relationship: str
    value_type: str
    value: Code | None = None  # of a CODE; None for any


_DEVICE = Code("121007", "DCM", "Device")
_OBSERVER_UID = Code("121012", "DCM", "Device Observer UID")
_OBSERVER_MANUFACTURER = Code("121014", "DCM", "Device Observer Manufacturer")
_OBSERVER_MODEL = Code("121015", "DCM", "Device Observer Model Name")
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
    Row(
        "1500",
        Code("121058", "DCM", "Procedure reported"),
        "HAS CONCEPT MOD",
        "CODE",
        codes.PROCEDURE_REPORTED,
    ),
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
_KEY_OBJECT_TITLES = frozenset({"113009"})  # (DCM, "For Research") of CID 7010

# PS3.3 table C.17.3-8 and A.35.13.3.1.2: what may stand on either side, without types that we never write
_HEADED = frozenset({"TEXT", "CODE", "NUM"})
_IMAGES = frozenset({"IMAGE", "COMPOSITE", "WAVEFORM"})
_PLAIN = _HEADED | {"DATETIME", "DATE", "TIME", "UIDREF", "PNAME"}
_RELATIONSHIPS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "CONTAINS": (
        frozenset({"CONTAINER"}),
        _PLAIN | _IMAGES | {"CONTAINER", "SCOORD", "SCOORD3D", "TCOORD"},
    ),
    "HAS OBS CONTEXT": (frozenset({"CONTAINER"}) | _HEADED, _PLAIN | {"COMPOSITE"}),
    "HAS ACQ CONTEXT": (frozenset({"CONTAINER"}) | _IMAGES, _PLAIN | {"CONTAINER"}),
    "HAS CONCEPT MOD": (frozenset({"CONTAINER"}) | _PLAIN | _IMAGES, frozenset({"TEXT", "CODE"})),
    "HAS PROPERTIES": (_HEADED, _PLAIN | _IMAGES | {"CONTAINER", "SCOORD", "SCOORD3D", "TCOORD"}),
    "INFERRED FROM": (_HEADED, _PLAIN | _IMAGES | {"CONTAINER", "SCOORD", "SCOORD3D", "TCOORD"}),
    "SELECTED FROM": (frozenset({"SCOORD", "TCOORD"}), _IMAGES | {"SCOORD"}),
}
_VALUES = {  # PS3.3 C.17.3.2: the attribute that holds the value
    "TEXT": "TextValue",
    "CODE": "ConceptCodeSequence",
    "NUM": "MeasuredValueSequence",
    "UIDREF": "UID",
    "PNAME": "PersonName",
    "DATE": "Date",
    "TIME": "Time",
    "DATETIME": "DateTime",
    "IMAGE": "ReferencedSOPSequence",
    "COMPOSITE": "ReferencedSOPSequence",
    "CONTAINER": "ContinuityOfContent",
    "SCOORD": "GraphicData",
    "SCOORD3D": "GraphicData",
}


def _ours() -> Iterator[Code]:
    for value in vars(codes).values():
        every = value.values() if isinstance(value, dict) else (value,)
        yield from (code for code in every if isinstance(code, Code))


_MEANINGS = {(code.value, code.scheme_designator): code.meaning for code in _ours()}
_UCUM = frozenset(code.value for code in _ours() if code.scheme_designator == "UCUM") | {
    getattr(standard.UCUM, name).value for name in standard.UCUM.dir()
}
_UNITS = {
    codes.PROBABILITY: codes.PERCENT,
    codes.THRESHOLD: codes.PERCENT,
    codes.SPREAD: codes.PERCENT,
    codes.FLIP: codes.PERCENT,
    codes.SLICE_COUNT: codes.SLICES,
    codes.LONG_AXIS: codes.MILLIMETER,
    codes.VOLUME: codes.MILLILITER,
}
_UNIT_OF = {(name.value, name.scheme_designator): unit.value for name, unit in _UNITS.items()}
_PICTURE_NAMES = {
    (code.value, code.scheme_designator) for code in (codes.VISUAL_EXPLANATION, codes.ILLUSTRATION)
}
_NEUTRAL_FINDINGS = {codes.NODULE.value, codes.MASS.value, codes.LUNG.value}


class Item(NamedTuple):
    """A content item, where it stands, and the type of the one above it (empty for the root)."""

    where: str
    item: Dataset
    above: str

    @property
    def value_type(self) -> str:
        return str(self.item.get("ValueType", ""))

    @property
    def name(self) -> tuple[str, str]:
        """Code value and scheme of the concept name, empty where there is none."""
        return _code(self.item, "ConceptNameCodeSequence")


def items(ds: Dataset, where: str = "", above: str = "") -> Iterator[Item]:
    """The root and all content items below it, each named by its meanings on the way down."""
    name = ds.get("ConceptNameCodeSequence") or [Dataset()]
    meaning = str(name[0].get("CodeMeaning") or ds.get("ValueType") or "content item")
    path = f"{where} > {meaning}" if where else meaning
    yield Item(path, ds, above)
    for child in ds.get("ContentSequence") or ():
        yield from items(child, path, str(ds.get("ValueType", "")))


def content_findings(ds: Dataset) -> Iterator[Finding]:
    """What is wrong with the content of a report or Key Object Selection."""
    for item in items(ds):
        yield from _item_findings(ds, item)
    if ds.SOPClassUID == KeyObjectSelectionDocumentStorage:
        yield from _key_object_findings(ds)
    else:
        yield from _report_findings(ds)


def code_findings(ds: Dataset, every: Sequence[Place]) -> Iterator[Finding]:
    """Codes of ours with another meaning, and private schemes that the object does not identify."""
    identified = {
        str(scheme.get("CodingSchemeDesignator"))
        for scheme in ds.get("CodingSchemeIdentificationSequence") or ()
    }
    for place in every:
        if not place.sequence.endswith("CodeSequence"):
            continue
        scheme = str(place.item.get("CodingSchemeDesignator", ""))
        key = str(place.item.get("CodeValue", "")), scheme
        meaning = str(place.item.get("CodeMeaning", ""))
        private = scheme.startswith("99")  # PS3.16 section 8.2
        expected = _MEANINGS.get(key, "a code of ours" if private else meaning)
        if meaning != expected and key[1] != "UCUM":  # of units the code is the meaning
            yield Finding.of(ds, place.path, f"another meaning of {key[0]}", expected)
        if private and scheme not in identified:
            yield Finding.of(ds, place.path, scheme, "a scheme in CodingSchemeIdentificationSequence")


def _item_findings(ds: Dataset, item: Item) -> Iterator[Finding]:
    kind, above = item.value_type, item.above
    if kind not in _VALUES:
        yield Finding.of(ds, f"{item.where} ValueType", kind or "absent", "a type that we write")
        return
    if lacking(item.item, _VALUES[kind]):
        yield Finding.of(ds, f"{item.where} {_VALUES[kind]}", "absent", "the value of the item")
    if kind not in _IMAGES and lacking(item.item, "ConceptNameCodeSequence"):
        yield Finding.of(ds, f"{item.where} ConceptNameCodeSequence", "absent", "a concept name")
    if above:
        relationship = str(item.item.get("RelationshipType", ""))
        sources, targets = _RELATIONSHIPS.get(relationship, (frozenset(), frozenset()))
        if above not in sources or kind not in targets:
            yield Finding.of(
                ds, f"{item.where} RelationshipType", relationship or "absent", f"one of {above} to {kind}"
            )
    match kind:
        case "CONTAINER" if item.item.get("ContinuityOfContent") != "SEPARATE":
            yield Finding.of(
                ds,
                f"{item.where} ContinuityOfContent",
                str(item.item.get("ContinuityOfContent")),
                "SEPARATE",
            )
        case "NUM":
            yield from _number_findings(ds, item)
        case "IMAGE" if item.name in _PICTURE_NAMES:
            yield from _explanation_findings(ds, item)


def _number_findings(ds: Dataset, item: Item) -> Iterator[Finding]:
    """A unit of UCUM, the one decided for the concept; percents from 0 to 100 with two decimals."""
    for measured in item.item.get("MeasuredValueSequence") or ():
        unit, scheme = _code(measured, "MeasurementUnitsCodeSequence")
        if scheme != "UCUM" or unit not in _UCUM:
            yield Finding.of(ds, f"{item.where} unit", f"{unit} ({scheme})", "a code of UCUM")
        elif unit != _UNIT_OF.get(item.name, unit):
            yield Finding.of(ds, f"{item.where} unit", unit, _UNIT_OF[item.name])
        value = str(measured.get("NumericValue", ""))
        if unit == codes.PERCENT.value and not _is_percent(value):
            yield Finding.of(ds, f"{item.where} value", value, "0.00 to 100.00")


def _is_percent(value: str) -> bool:
    whole, point, decimals = value.partition(".")
    return (
        whole.isdigit() and point == "." and decimals.isdigit() and len(decimals) == 2 and float(value) <= 100
    )


def _explanation_findings(ds: Dataset, item: Item) -> Iterator[Finding]:
    for reference in item.item.get("ReferencedSOPSequence") or ():
        if reference.get("ReferencedSOPClassUID") != SecondaryCaptureImageStorage:
            given = str(reference.get("ReferencedSOPClassUID"))
            yield Finding.of(ds, item.where, given, "a Secondary Capture")


def _report_findings(ds: Dataset) -> Iterator[Finding]:
    """TID 1500 and what stands in it; the statement that this is research."""
    yield from _root_findings(ds, codes.TITLE, "1500")
    yield from _row_findings(ds, ds, "root", _ROOT)
    equipment = {
        tuple(str(item.get(keyword, "")) for keyword in ("Manufacturer", "ManufacturerModelName", fact))
        for item in ds.get("ContributingEquipmentSequence") or ()
        for fact in ("SoftwareVersions", "DeviceUID")
    }
    observer = tuple(_text(ds, row) for row in (_OBSERVER_MANUFACTURER, _OBSERVER_MODEL, _OBSERVER_UID))
    if observer not in equipment:
        yield Finding.of(ds, "device observer", "another", "an item of Contributing Equipment")
    tracked: set[str] = set()
    for container in _children(ds, _IMAGING_MEASUREMENTS):
        yield from _row_findings(ds, container, "Imaging Measurements", _MEASUREMENTS)
        for number, group in enumerate(_children(container, _MEASUREMENT_GROUP), start=1):
            yield from _group_findings(ds, group, f"Measurement Group {number}", equipment)
            uid = _text(group, _TRACKING_UID)
            if uid in tracked:
                yield Finding.of(ds, "Tracking Unique Identifier", uid, "another in every group")
            tracked.add(uid)
    for library in _children(ds, _IMAGE_LIBRARY):
        for group in _children(library, _IMAGE_LIBRARY_GROUP):
            if not any(child.get("ValueType") == "IMAGE" for child in group.get("ContentSequence") or ()):
                yield Finding.of(ds, "Image Library Group", "no image", "at least one (TID 1600)")
    if not any(item.item.get("TextValue") == DISCLAIMER for item in items(ds)):
        yield Finding.of(ds, "Comment", "no statement of research", "the disclaimer")


def _root_findings(ds: Dataset, title: Code, tid: str) -> Iterator[Finding]:
    given = _code(ds, "ConceptNameCodeSequence")
    if given != (title.value, title.scheme_designator):
        yield Finding.of(ds, "ConceptNameCodeSequence", " ".join(given), f"{title.value} {title.meaning}")
    template = (ds.get("ContentTemplateSequence") or [Dataset()])[0]
    named = str(template.get("MappingResource", "")), str(template.get("TemplateIdentifier", ""))
    if named != ("DCMR", tid):
        yield Finding.of(ds, "ContentTemplateSequence", " ".join(named), f"DCMR {tid}")


def _row_findings(ds: Dataset, parent: Dataset, where: str, rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        given = [child for child in _children(parent, row.name) if _fits(child, row)]
        if not given:
            value = "" if row.value is None else f" = {row.value.value}"
            yield Finding.of(
                ds,
                f"{where} > {row.name.meaning}",
                "absent, or of another kind",
                f"{row.relationship} {row.value_type}{value} (TID {row.tid})",
            )


def _fits(child: Dataset, row: Row) -> bool:
    kind = str(child.get("RelationshipType", "")), str(child.get("ValueType", ""))
    if kind != (row.relationship, row.value_type):
        return False
    expected = row.value
    return expected is None or _code(child, "ConceptCodeSequence") == (
        expected.value,
        expected.scheme_designator,
    )


def _group_findings(
    ds: Dataset, group: Dataset, where: str, equipment: set[tuple[str, ...]]
) -> Iterator[Finding]:
    yield from _row_findings(ds, group, where, _GROUP)
    if _children(group, _ALGORITHM_NAME):
        yield from _row_findings(ds, group, where, _ALGORITHM)
        algorithm = tuple(
            _text(group, code) for code in (_ALGORITHM_MANUFACTURER, _ALGORITHM_NAME, _ALGORITHM_VERSION)
        )
        if algorithm not in equipment:
            expected = "an item of Contributing Equipment (IHE AIR 6.5.3.1)"
            yield Finding.of(ds, f"{where} > algorithm", "another", expected)
    for finding in _children(group, _FINDING):
        value, _ = _code(finding, "ConceptCodeSequence")
        if value not in _NEUTRAL_FINDINGS:
            yield Finding.of(ds, f"{where} > Finding", value, "a nodule or mass, and no diagnosis")
    if _children(group, codes.PREDICTED_CLASS) and not _children(group, codes.PROBABILITY):
        yield Finding.of(ds, f"{where} > Predicted class", "a class alone", "its probability beside it")


def _key_object_findings(ds: Dataset) -> Iterator[Finding]:
    """TID 2010: at least one object, none of them with a purpose of reference."""
    value, _ = _code(ds, "ConceptNameCodeSequence")
    if value not in _KEY_OBJECT_TITLES:
        yield Finding.of(ds, "ConceptNameCodeSequence", value, "113009 For Research (CID 7010)")
    template = (ds.get("ContentTemplateSequence") or [Dataset()])[0]
    if template.get("TemplateIdentifier") != "2010":
        yield Finding.of(ds, "ContentTemplateSequence", str(template.get("TemplateIdentifier")), "DCMR 2010")
    named = [item for item in items(ds) if item.value_type in _IMAGES]
    if not named:
        yield Finding.of(ds, "ContentSequence", "no object", "at least one (TID 2010)")
    for item in named:
        if "ConceptNameCodeSequence" in item.item:
            yield Finding.of(ds, item.where, "a purpose of reference", "none (TID 2010 row 8)")


def _children(parent: Dataset, name: Code) -> list[Dataset]:
    expected = name.value, name.scheme_designator
    children = parent.get("ContentSequence") or ()
    return [child for child in children if _code(child, "ConceptNameCodeSequence") == expected]


def _code(ds: Dataset, sequence: str) -> tuple[str, str]:
    """Value and scheme of the code in that sequence, empty where there is none."""
    code = (ds.get(sequence) or [Dataset()])[0]
    return str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", ""))


def _text(parent: Dataset, name: Code) -> str:
    """What the first child of that name says."""
    for child in _children(parent, name):
        return str(child.get("TextValue") or child.get("UID") or "")
    return ""
