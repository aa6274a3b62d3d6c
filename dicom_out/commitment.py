"""Storage commitment as the data sets of PS3.4 annex J: what is asked, and what a report says. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from pydicom.dataset import Dataset
from pydicom.uid import UID

PUSH_MODEL = UID("1.2.840.10008.1.20.1")  # Storage Commitment Push Model SOP Class
PUSH_MODEL_INSTANCE = UID("1.2.840.10008.1.20.1.1")  # its well-known SOP Instance
REQUEST = 1  # Action Type ID (J.3.2)
ALL_COMMITTED, SOME_FAILED = 1, 2  # Event Type ID (J.3.3)

NO_SUCH_INSTANCE = 0x0112
FOR_GOOD: Mapping[int, str] = {
    0x0119: "the destination holds it under another SOP class",
    0x0122: "the destination does not take its SOP class",
}
"""Failure Reasons (PS3.3 C.14) that sending the same bytes again will not mend."""

_WORDS: Mapping[int, str] = {
    0x0110: "processing failure",
    NO_SUCH_INSTANCE: "the destination does not have it",
    0x0213: "the destination lacks resources",
    0x0131: "the destination has seen this transaction before",
    **FOR_GOOD,
}


@dataclass(frozen=True)
class Item:
    """An object by its SOP class and instance."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Report:
    """What a destination says of the objects of one transaction."""

    transaction_uid: str
    committed: frozenset[Item]
    failed: Mapping[Item, int]  # with the Failure Reason (0008,1197)


class BadReport(ValueError):
    """An N-EVENT-REPORT that is none of annex J."""


def new_transaction_uid() -> str:
    """Random, so that only the destination that was asked can answer."""
    return f"2.25.{uuid4().int}"


def action_information(transaction_uid: str, items: Iterable[Item]) -> Dataset:
    """Table J.3-1."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = [_reference(item) for item in items]
    return ds


def _reference(item: Item) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID = item.sop_class_uid
    ds.ReferencedSOPInstanceUID = item.sop_instance_uid
    return ds


def read_report(event_type: int | None, information: Dataset) -> Report:
    """Table J.3-2. What stands among the failures has failed, whatever else the report says of it.

    Raises BadReport.
    """
    if event_type not in (ALL_COMMITTED, SOME_FAILED):
        raise BadReport(f"Event Type ID is {event_type}, expected 1 or 2")
    try:
        transaction_uid = str(information.TransactionUID)
        failed = {
            _item(ds): int(ds.get("FailureReason") or 0x0110)
            for ds in information.get("FailedSOPSequence") or ()
        }
        named = {_item(ds) for ds in information.get("ReferencedSOPSequence") or ()}
    except (AttributeError, ValueError, TypeError) as error:
        raise BadReport(f"it lacks what table J.3-2 asks for: {type(error).__name__}") from error
    return Report(transaction_uid, frozenset(named - failed.keys()), failed)


def _item(ds: Dataset) -> Item:
    return Item(str(ds.ReferencedSOPClassUID), str(ds.ReferencedSOPInstanceUID))


def in_words(reason: int) -> str:
    """A Failure Reason for people."""
    return f"not committed, reason {reason:04X}" + (f": {_WORDS[reason]}" if reason in _WORDS else "")
