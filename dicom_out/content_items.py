"""The content of a report or Key Object Selection as a tree of items (PS3.3 C.17.3), whatever may be missing in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code


@dataclass(frozen=True)
class Item:
    """A content item, where it stands, and the type of the one above it (empty for the root)."""

    where: str  # the meanings on the way down to it
    item: Dataset
    above: str
    value_type: str
    name: tuple[str, str]  # code value and scheme of the concept name, empty where there is none
    children: tuple["Item", ...]

    @property
    def relationship(self) -> str:
        return str(self.item.get("RelationshipType", ""))

    @property
    def value(self) -> tuple[str, str]:
        """Of a CODE: code value and scheme, empty where there is none."""
        return coded(self.item, "ConceptCodeSequence")

    def named(self, name: Code) -> list["Item"]:
        """The children of that name."""
        expected = name.value, name.scheme_designator
        return [child for child in self.children if child.name == expected]

    def said(self, name: Code) -> str:
        """What the first child of that name says, a TEXT or a UIDREF; empty without one."""
        for child in self.named(name):
            return str(child.item.get("TextValue") or child.item.get("UID") or "")
        return ""

    def walk(self) -> Iterator["Item"]:
        """It and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def root(ds: Dataset) -> Item:
    """The root of the document's content, with all that is below it."""
    return _item(ds, "", "")


def items(ds: Dataset) -> Iterator[Item]:
    """The root and all content items below it."""
    return root(ds).walk()


def coded(ds: Dataset, sequence: str) -> tuple[str, str]:
    """Value and scheme of the code in that sequence, empty where there is none."""
    code = (ds.get(sequence) or [Dataset()])[0]
    return str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", ""))


def _item(ds: Dataset, way: str, above: str) -> Item:
    value_type = str(ds.get("ValueType", ""))
    name = (ds.get("ConceptNameCodeSequence") or [Dataset()])[0]
    meaning = str(name.get("CodeMeaning") or ds.get("ValueType") or "content item")
    where = f"{way} > {meaning}" if way else meaning
    return Item(
        where=where,
        item=ds,
        above=above,
        value_type=value_type,
        name=(str(name.get("CodeValue", "")), str(name.get("CodingSchemeDesignator", ""))),
        children=tuple(_item(child, where, value_type) for child in ds.get("ContentSequence") or ()),
    )
