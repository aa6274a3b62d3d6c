"""The created objects attribute by attribute: where each value comes from, told from results that differ in all else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from dicom_out.header import PATIENT_AND_STUDY, TYPE_2
from tests.statement.document import table
from tests.statement.encodings import Made, encodings

Path = tuple[str, ...]
_WITHOUT = {"StudyInstanceUID": "not taken: answered C000"}
_LONGEST = 80
_MOST_CHOICES = 3
_ITEMS, _BYTES = "items", "bytes"
_MODULE_NAMES = {"sop": "SOP", "sr": "SR", "sc": "SC", "of": "of"}
_OTHERWISE_DESCRIBED = ("ContentSequence",)  # annex B


class PrivateAttribute(ValueError):
    """A private attribute in a created object, which this page would not list."""


def iod_tables() -> dict[str, str]:
    return {
        "copied attributes": table(
            ("Attribute", "Tag", "VR", "Where the CT has none"), map(_copied_row, PATIENT_AND_STUDY)
        ),
        **{
            f"{kind} attributes": table(
                ("Module", "Attribute", "Tag", "VR", "Type", "Value"), _iod_rows(kind)
            )
            for kind in encodings()[0].objects
        },
    }


def _copied_row(keyword: str) -> tuple[str, str, str, str]:
    return (
        keyword,
        _tag(keyword),
        dictionary_VR(keyword),
        _WITHOUT.get(keyword) or ("empty" if keyword in TYPE_2 else "absent"),
    )


@dataclass(frozen=True)
class _Seen:
    """One attribute over all results."""

    by_result: tuple[frozenset[str], ...]  # what it said, in those results that have it
    copied: bool  # wherever it stands, the images that the result was made from say it too
    always: bool  # wherever there is room for it, it stands

    @property
    def distinct(self) -> frozenset[str]:
        return frozenset().union(*self.by_result)


def _iod_rows(kind: str) -> Iterator[tuple[str, ...]]:
    seen = _seen(kind)
    modules = _modules(str(encodings()[0].objects[kind][0].SOPClassUID))
    order = {module: place for place, module in enumerate(modules)}

    def place(path: Path) -> tuple[int, ...]:
        return order.get(_module(path, modules), len(order)), *(tag_for_keyword(k) or 0 for k in path)

    for path in sorted(seen, key=place):
        module, keyword = _module(path, modules), path[-1]
        yield (
            _title(module) if len(path) == 1 else "",
            f"{'>' * (len(path) - 1)}{keyword}",
            _tag(keyword),
            dictionary_VR(keyword),
            modules.get(module, {}).get(path, ""),
            _source(keyword, seen[path]),
        )


def _seen(kind: str) -> dict[Path, _Seen]:
    results = encodings()
    by_result = [_elements(made.objects[kind]) for made in results]
    everywhere = _elements([ds for made in results for ds in made.objects[kind]])
    seen: dict[Path, _Seen] = {}
    for path, elements in everywhere.items():
        if path[0] in PATIENT_AND_STUDY:
            continue
        said = [frozenset(_said(e) for e in found.get(path, ()) if e is not None) for found in by_result]
        copied = all(
            values - {""} <= _given(path[-1], made) for values, made in zip(said, results, strict=True)
        )
        seen[path] = _Seen(tuple(filter(None, said)), copied, None not in elements)
    return seen


def _elements(items: Sequence[Dataset], above: Path = ()) -> dict[Path, list[DataElement | None]]:
    """Each attribute of the items and of all below them, with None for an item that has it not."""
    found: dict[Path, list[DataElement | None]] = {}
    keywords = dict.fromkeys(_keyword(element) for item in items for element in item)
    for keyword in keywords:
        path = (*above, keyword)
        elements: list[DataElement | None] = [item.get(Tag(keyword)) for item in items]
        found[path] = elements
        if (
            dictionary_VR(keyword) == "SQ"
            and not keyword.endswith("CodeSequence")
            and keyword not in _OTHERWISE_DESCRIBED
        ):
            found |= _elements(
                [below for element in elements if element is not None for below in element.value], path
            )
    return found


def _keyword(element: DataElement) -> str:
    if element.tag.is_private or not element.keyword:
        raise PrivateAttribute(str(element.tag))
    return str(element.keyword)


def _said(element: DataElement) -> str:
    value = element.value
    if element.VR == "SQ":
        codes = " and ".join(_code(item) for item in value)
        return codes if element.keyword.endswith("CodeSequence") or not value else _ITEMS
    if isinstance(value, bytes):
        return _BYTES
    return "\\".join(map(str, value)) if isinstance(value, MultiValue | list) else str(value)


def _code(item: Dataset) -> str:
    return f'({item.get("CodeValue", "")}, {item.get("CodingSchemeDesignator", "")}, "{item.get("CodeMeaning", "")}")'


def _given(keyword: str, made: Made) -> frozenset[str]:
    """What the images that the result was made from say."""
    return frozenset(_said(ds[keyword]) for ds in made.sources if keyword in ds)


def _source(keyword: str, seen: _Seen) -> str:
    how = _how(keyword, seen)
    return how if seen.always else f"{how}; not always present"


def _how(keyword: str, seen: _Seen) -> str:
    distinct, results = seen.distinct, len(seen.by_result)
    or_empty = ", or empty" if "" in distinct else ""
    if distinct == {""}:
        return "empty"
    if keyword in _OTHERWISE_DESCRIBED:
        return "content items, see annex B"
    if distinct == {_ITEMS}:
        return "items"
    if seen.copied and (len(distinct) > 1 or results == 1):
        return f"copied from the CT{or_empty}"
    if (
        results > 1
        and len(set(seen.by_result)) == 1
        and len(distinct) <= _MOST_CHOICES
        and _BYTES not in distinct
    ):
        return f"fixed: {'; '.join(map(_cut, sorted(distinct)))}"
    closed = dictionary_VR(keyword) == "CS" or keyword.endswith("CodeSequence")
    if (
        closed
        and len(distinct) <= _MOST_CHOICES
        and not any(value == "" or "\\" in value for value in distinct)
    ):
        return f"one of: {'; '.join(sorted(distinct))}"
    return f"derived{or_empty}"


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]} …"


def _tag(keyword: str) -> str:
    tag = tag_for_keyword(keyword) or 0
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@cache
def _modules(sop_class_uid: str) -> Mapping[str, Mapping[Path, str]]:
    """The types of the attributes of each module of the class, in the order of its IOD."""
    folder = files("highdicom") / "_standard"
    iod = json.loads((folder / "sop_class_iod_map.json").read_text())[sop_class_uid]
    modules = json.loads((folder / "iod_module_map.json").read_text())[iod]
    attributes = json.loads((folder / "module_attribute_map.json").read_text())
    return {
        module["key"]: {(*a["path"], a["keyword"]): a["type"] for a in attributes[module["key"]]}
        for module in modules
    }


def _module(path: Path, modules: Mapping[str, Mapping[Path, str]]) -> str:
    """The first module of the IOD that has the root attribute."""
    return next((module for module, types in modules.items() if path[:1] in types), "not in the IOD")


def _title(module: str) -> str:
    words = (_MODULE_NAMES.get(word, word.capitalize()) for word in module.split("-"))
    return " ".join(words).replace("Multi Frame", "Multi-frame")
