"""Every place in an object where attributes stand: the object itself and the items of its sequences."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag


@dataclass(frozen=True)
class Place:
    path: str  # such as "MeasuredValueSequence[0]"; empty for the object itself
    sequence: str  # the keyword of the sequence it is an item of; empty for the object itself
    item: Dataset

    def below(self, keyword: str) -> str:
        """Where this place has that attribute."""
        return f"{self.path}.{keyword}" if self.path else keyword


def places(ds: Dataset, without: Collection[str] = (), path: str = "", sequence: str = "") -> Iterator[Place]:
    """The object and all below it, except the attributes `without`, which are not decoded either."""
    yield Place(path, sequence, ds)
    for tag in list(ds.keys()):
        keyword = keyword_for_tag(tag) or str(tag)
        if vr(ds, tag) == "SQ" and keyword not in without:
            for number, item in enumerate(ds[tag].value):
                below = f"{path}.{keyword}[{number}]" if path else f"{keyword}[{number}]"
                yield from places(item, (), below, keyword)


def lacking(ds: Dataset, keyword: str) -> str:
    """How `ds` lacks a value of the attribute, in a word; empty where it has one. Decodes nothing."""
    if keyword not in ds:
        return "absent"
    return "empty" if is_empty(ds, Tag(keyword)) else ""


def is_empty(ds: Dataset, tag: BaseTag) -> bool:
    element = held(ds, tag)
    return not element.value if isinstance(element, RawDataElement) else bool(element.is_empty)


def vr(ds: Dataset, tag: BaseTag) -> str:
    return str(held(ds, tag).VR)


def held(ds: Dataset, tag: BaseTag) -> RawDataElement | DataElement:
    """The element as `ds` holds it: raw as long as nobody has decoded it."""
    return ds.get_item(tag)
