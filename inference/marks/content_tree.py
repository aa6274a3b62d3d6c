"""Walking the content tree of a structured document (PS3.3 C.17.3)."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

Code = tuple[str, str]  # value, coding scheme

OBSERVER_TYPE: Code = ("121005", "DCM")
PERSON: Code = ("121006", "DCM")
DEVICE: Code = ("121007", "DCM")
PERSON_OBSERVER_NAME: Code = ("121008", "DCM")
DEVICE_OBSERVER_UID: Code = ("121012", "DCM")
ALGORITHM_NAME: Code = ("111001", "DCM")
IMAGING_MEASUREMENTS: Code = ("126010", "DCM")
MEASUREMENT_GROUP: Code = ("125007", "DCM")
FINDING: Code = ("121071", "DCM")
FINDING_CATEGORY: Code = ("276214006", "SCT")


def below(item: Dataset) -> Iterator[Dataset]:
    """Every item below this one, from top to bottom; references by content item identifier are not followed."""
    for child in item.get("ContentSequence") or ():
        yield child
        yield from below(child)


def name(item: Dataset) -> Code:
    return first_code(item, "ConceptNameCodeSequence")


def value(item: Dataset) -> Code:
    """Of a CODE item."""
    return first_code(item, "ConceptCodeSequence")


def first_code(item: Dataset, keyword: str) -> Code:
    for code in item.get(keyword) or ():
        return (
            str(code.get("CodeValue") or code.get("LongCodeValue") or ""),
            str(code.get("CodingSchemeDesignator") or ""),
        )
    return ("", "")


def meanings(item: Dataset, keyword: str) -> str:
    """The words of its codes."""
    return " ".join(str(code.get("CodeMeaning") or "") for code in item.get(keyword) or ())


def referenced(item: Dataset) -> Iterator[Dataset]:
    """The SOP references of an IMAGE, COMPOSITE or WAVEFORM item."""
    yield from item.get("ReferencedSOPSequence") or ()
