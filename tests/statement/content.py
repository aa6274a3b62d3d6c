"""The content of the created documents item by item, the codes they use, and the character sets tried."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from pydicom.dataset import Dataset

from dicom_out import codes
from tests.conformance.variants import NAMES
from tests.statement.document import table
from tests.statement.encodings import encodings
from tests.statement.network import name

_DOCUMENTS = {
    "report": "report content",
    "key object selection": "key object content",
    "rejection note": "rejection content",
}
_GROUP = "125007"  # Measurement Group
_TRACKING = "112039"  # Tracking Identifier
_LONGEST, _MOST_CHOICES = 60, 4
Key = tuple[tuple[str, ...], ...]


def content_tables() -> dict[str, str]:
    return {
        **{place: _content(kind) for kind, place in _DOCUMENTS.items()},
        "private codes": table(("Code", "Meaning", "Used in"), _code_rows(private=True)),
        "standard codes": table(("Scheme", "Code", "Meaning", "Used in"), _code_rows(private=False)),
        "character sets": table(("Specific Character Set", "Patient's name in the tests"), _character_sets()),
    }


@dataclass
class _Item:
    """Content items of one name in one place, over all results."""

    values: dict[int, set[str]]  # by result
    counts: list[int]  # below each parent


def _content(kind: str) -> str:
    found: dict[Key, _Item] = {}
    roots = [(number, ds) for number, made in enumerate(encodings()) for ds in made.objects[kind]]
    _gather(roots, (), found)
    heads = ("Level", "Relationship", "Value type", "Concept name", "Number", "Value")
    return table(heads, (_content_row(key, found[key]) for key in _in_order(found)))


Numbered = tuple[int, Dataset]
"""A content item and the number of its result."""


def _gather(parents: list[Numbered], above: Key, found: dict[Key, _Item]) -> None:
    """Items of the same name below any of the parents are one row."""
    alike: dict[Key, list[list[Numbered]]] = defaultdict(lambda: [[] for _ in parents])
    for place, (number, parent) in enumerate(parents):
        for child in parent.get("ContentSequence", ()):
            alike[*above, _key(child)][place].append((number, child))
    for key, below in alike.items():
        values: dict[int, set[str]] = defaultdict(set)
        for number, child in chain(*below):
            values[number].add(_value(child))
        found[key] = _Item(values, [len(children) for children in below])
        _gather(list(chain(*below)), key, found)


def _key(item: Dataset) -> tuple[str, ...]:
    concept = item.get("ConceptNameCodeSequence") or [Dataset()]
    code = str(concept[0].get("CodeValue", ""))
    return (
        str(item.RelationshipType),
        str(item.ValueType),
        _in_words(concept[0]),
        _title(item) if code == _GROUP else "",
    )


def _in_words(code: Dataset) -> str:
    if "CodeValue" not in code:
        return ""
    return f"({code.CodeValue}, {code.CodingSchemeDesignator}, {code.CodeMeaning})"


def _title(group: Dataset) -> str:
    """The Tracking Identifier, its number left open."""
    said = (c.TextValue for c in group.ContentSequence if c.ConceptNameCodeSequence[0].CodeValue == _TRACKING)
    return _numberless(next(said))


def _numberless(title: str) -> str:
    return re.sub(r"\d+", "n", title)


def _value(item: Dataset) -> str:
    match item.ValueType:
        case "CODE":
            return _in_words(item.ConceptCodeSequence[0])
        case "NUM":
            return f"number in {item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue}"
        case "TEXT":
            is_title = item.ConceptNameCodeSequence[0].CodeValue == _TRACKING
            return f"“{_numberless(item.TextValue) if is_title else item.TextValue}”"
        case "IMAGE" | "COMPOSITE":
            return f"reference to {name(item.ReferencedSOPSequence[0].ReferencedSOPClassUID)}"
        case "CONTAINER":
            return ""
        case _:
            return "derived"


def _in_order(found: Mapping[Key, _Item]) -> Iterable[Key]:
    """Each item before what stands below it, and siblings in the order they came."""
    places = {key: place for place, key in enumerate(found)}
    return sorted(found, key=lambda key: [places[key[:depth]] for depth in range(1, len(key) + 1)])


def _content_row(key: Key, item: _Item) -> tuple[str, ...]:
    relationship, kind, concept, title = key[-1]
    least, most = min(1, *item.counts), max(item.counts)
    number = "1" if least == most else f"{least} to {'n' if most > 1 else most}"
    heading = f"{concept}: {title}" if title else concept
    return ">" * len(key), relationship, kind, heading, number, _values(kind, list(item.values.values()))


def _values(kind: str, by_result: list[set[str]]) -> str:
    distinct = set().union(*by_result)
    if kind != "TEXT":
        return "; ".join(sorted(distinct)) if len(distinct) <= _MOST_CHOICES else "one of annex E"
    return _cut(*distinct) if len(distinct) == 1 and len(by_result) > 1 else "derived text"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …”"


def _code_rows(*, private: bool) -> Iterator[tuple[str, ...]]:
    for (scheme, value, meaning), kinds in sorted(_used().items()):
        if (scheme == codes.PRIVATE_SCHEME) is private:
            where = ", ".join(kinds)
            yield (value, meaning, where) if private else (scheme, value, meaning, where)


def _used() -> dict[tuple[str, str, str], dict[str, None]]:
    """The kinds of object in which each code stands, by its scheme, value and meaning."""
    used: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for made in encodings():
        for kind, objects in made.objects.items():
            for item in chain(*map(_code_items, objects)):
                code = str(item.CodingSchemeDesignator), str(item.CodeValue), str(item.CodeMeaning)
                used[code][kind] = None
    return used


def _code_items(ds: Dataset) -> Iterator[Dataset]:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                if element.keyword.endswith("CodeSequence"):
                    yield item
                yield from _code_items(item)


def _character_sets() -> Iterator[tuple[str, str]]:
    for character_set, patient in NAMES.values():
        declared = character_set if isinstance(character_set, str) else "\\".join(character_set)
        yield f"`{declared}`", patient
