"""What every content item is by itself (PS3.3 C.17.3): a value, a name, and a relationship that may stand there."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from dicom_out.content_items import Item
from dicom_out.finding import Finding
from dicom_out.walk import lacking

IMAGES = frozenset({"IMAGE", "COMPOSITE", "WAVEFORM"})
"""Value types that refer to an object, and may go without a name."""

# PS3.3 table C.17.3-8 and A.35.13.3.1.2: what may stand on either side, without types that we never write
_HEADED = frozenset({"TEXT", "CODE", "NUM"})
_PLAIN = _HEADED | {"DATETIME", "DATE", "TIME", "UIDREF", "PNAME"}
_ANY = _PLAIN | IMAGES | {"CONTAINER", "SCOORD", "SCOORD3D", "TCOORD"}
_RELATIONSHIPS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "CONTAINS": (frozenset({"CONTAINER"}), _ANY),
    "HAS OBS CONTEXT": (frozenset({"CONTAINER"}) | _HEADED, _PLAIN | {"COMPOSITE"}),
    "HAS ACQ CONTEXT": (frozenset({"CONTAINER"}) | IMAGES, _PLAIN | {"CONTAINER"}),
    "HAS CONCEPT MOD": (frozenset({"CONTAINER"}) | _PLAIN | IMAGES, frozenset({"TEXT", "CODE"})),
    "HAS PROPERTIES": (_HEADED, _ANY),
    "INFERRED FROM": (_HEADED, _ANY),
    "SELECTED FROM": (frozenset({"SCOORD", "TCOORD"}), IMAGES | {"SCOORD"}),
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


def item_findings(ds: Dataset, item: Item) -> Iterator[Finding]:
    kind, above = item.value_type, item.above
    if kind not in _VALUES:
        yield Finding.of(ds, f"{item.where} ValueType", kind or "absent", "a type that we write")
        return
    if lacking(item.item, _VALUES[kind]):
        yield Finding.of(ds, f"{item.where} {_VALUES[kind]}", "absent", "the value of the item")
    if kind not in IMAGES and lacking(item.item, "ConceptNameCodeSequence"):
        yield Finding.of(ds, f"{item.where} ConceptNameCodeSequence", "absent", "a concept name")
    if above:
        sources, targets = _RELATIONSHIPS.get(item.relationship, (frozenset(), frozenset()))
        if above not in sources or kind not in targets:
            given, expected = item.relationship or "absent", f"one of {above} to {kind}"
            yield Finding.of(ds, f"{item.where} RelationshipType", given, expected)
    if kind == "CONTAINER" and item.item.get("ContinuityOfContent") != "SEPARATE":
        given = str(item.item.get("ContinuityOfContent"))
        yield Finding.of(ds, f"{item.where} ContinuityOfContent", given, "SEPARATE")
