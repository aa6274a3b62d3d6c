"""What a rejection note must say, beside what every Key Object Selection must: why, who, and of which objects."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from dicom_out.content_items import items
from dicom_out.finding import Finding
from dicom_out.rejection import Reason

_OBSERVER_TYPE, _OBSERVER_UID = "121005", "121012"
_DEVICE = "121007"
_PERSON_OBSERVER_NAME = "121008"


def withdrawal_findings(note: Dataset, objects: Sequence[Dataset]) -> Iterator[Finding]:
    """That it is titled as a rejection, in the name of this node alone, and names each of `objects`."""
    title = _value(note, "ConceptNameCodeSequence")
    titles = [reason.document_title.value for reason in Reason]
    if title not in titles:
        yield Finding.of(note, "ConceptNameCodeSequence", title, " or ".join(titles))
    said = {item.name[0]: item.item for item in items(note)}
    by_device = _value(said.get(_OBSERVER_TYPE, Dataset()), "ConceptCodeSequence") == _DEVICE
    observer = str(said.get(_OBSERVER_UID, Dataset()).get("UID", ""))
    if not by_device or observer != note.get("DeviceUID") or _PERSON_OBSERVER_NAME in said:
        yield Finding.of(note, "observer", "another", "the node, as a device (PS3.16 TID 1002)")
    named = {
        str(reference.get("ReferencedSOPInstanceUID"))
        for item in items(note)
        for reference in item.item.get("ReferencedSOPSequence") or ()
    }
    for uid in (str(ds.get("SOPInstanceUID")) for ds in objects):
        if uid not in named:
            yield Finding.of(note, "ContentSequence", "absent", f"a reference to {uid}")
    if note.get("SeriesInstanceUID") in {ds.get("SeriesInstanceUID") for ds in objects}:
        yield Finding.of(note, "SeriesInstanceUID", str(note.SeriesInstanceUID), "a series of its own")


def _value(ds: Dataset, sequence: str) -> str:
    return str((ds.get(sequence) or [Dataset()])[0].get("CodeValue", ""))
