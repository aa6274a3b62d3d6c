"""Statuses that the node answers and what it does with those it is answered, from the functions that decide."""

import errno
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from pydicom.uid import ImplicitVRLittleEndian

from db.jobs import LostRace
from db.session import DatabaseUnusable
from dicom_out.commitment import FOR_GOOD, NO_SUCH_INSTANCE, in_words
from dicom_out.outcome import Outcome, outcome_of
from node.identification import NotStorable
from node.receive import Arrival, NotASender, OtherContent, WrongObject
from node.status import EventStatus, StoreStatus
from node.storing import Rules, Storing, gathered
from node.watermark import NoRoom
from tests.statement.document import table

_FAILURES: dict[str, Exception | None] = {
    "The object is on disk and in the database. Also when it was there before, or is a result of this node": None,
    "Less than `storage.minimum_free_bytes` is free on the disk": NoRoom("little"),
    "The disk does not take it (full, read-only, gone)": OSError(errno.ENOSPC, "No space left on device"),
    "Another process changed the study at that moment": LostRace("changed"),
    "The database cannot be reached": DatabaseUnusable("no answer"),
    "The calling AE title may only report on storage commitment": NotASender("may not"),
    "SOP class or instance UID in the data set differ from the command's": WrongObject("differs"),
    "Not readable, without Study, Series or SOP Instance UID, a malformed UID, or pixel data cut short": NotStorable(
        "?"
    ),
    "Other pixels, or another document, under a SOP Instance UID that is known: the first is kept": OtherContent(
        "known"
    ),
}
_SENDER = {
    StoreStatus.SUCCESS: "nothing",
    StoreStatus.OUT_OF_RESOURCES: "send it again later",
    StoreStatus.NOT_AUTHORIZED: "do not repeat; the site lists its senders in `listener.calling_ae_titles`",
    StoreStatus.DOES_NOT_MATCH_SOP_CLASS: "do not repeat; the object or the sender is at fault",
    StoreStatus.CANNOT_UNDERSTAND: "do not repeat; the object is at fault",
    StoreStatus.OTHER_CONTENT_UNDER_KNOWN_UID: "do not repeat; give the changed object a UID of its own",
}
_DELIVERY = {
    Outcome.STORED: "delivered; with `commitment`, commitment is asked for next",
    Outcome.TRY_AGAIN: "sent again, the same bytes, after `delivery.first_retry_s`, then with doubled waits up to `delivery.longest_retry_s`; no attempt is the last",
    Outcome.CLASS_REFUSED: "a report goes again in the next SR class; any other object, and the last class, as refused",
    Outcome.REFUSED: "parked with its status; the job is FAILED once nothing else is on its way, until a person runs `sedas-node retry`",
}
_WITHOUT_STATUS = {
    Outcome.TRY_AGAIN: ", or no connection, a rejected or aborted association, no answer in time",
    Outcome.REFUSED: ", any other",
    Outcome.CLASS_REFUSED: ", or the context was not accepted",
}
_ALL = range(0x10000)
# PS3.4 B.2.3, PS3.7 annex C
_MEANINGS: Mapping[tuple[int, int], str] = {
    (0x0000, 0x0000): "Success",
    (0x0001, 0x0001): "Warning",
    (0x0107, 0x0107): "Warning: attribute list error",
    (0x0110, 0x0110): "Processing failure",
    (0x0111, 0x0111): "Duplicate SOP Instance: an earlier attempt has arrived",
    (0x0116, 0x0116): "Warning: attribute value out of range",
    (0x0117, 0x0117): "Invalid SOP Instance",
    (0x0122, 0x0122): "SOP class not supported",
    (0x0124, 0x0124): "Not authorized",
    (0x0210, 0x0210): "Duplicate invocation",
    (0x0211, 0x0211): "Unrecognized operation",
    (0x0212, 0x0212): "Mistyped argument",
    (0x0213, 0x0213): "Resource limitation",
    (0xA700, 0xA7FF): "Out of resources",
    (0xA900, 0xA9FF): "Data set does not match SOP class",
    (0xB000, 0xBFFF): "Warning: elements coerced, discarded or not matching",
    (0xC000, 0xCFFF): "Cannot understand",
}
_EVENTS = {
    EventStatus.SUCCESS: "The report is taken in",
    EventStatus.PROCESSING_FAILURE: "The database cannot be reached: report again later",
    EventStatus.INVALID_ARGUMENT: "Not a report of PS3.4 J.3.3, or not on a transaction of this node",
}


class NotOneMeaning(ValueError):
    """A family of statuses that the node does not treat alike, or one that this page has no words for."""


def status_tables() -> dict[str, str]:
    return {
        "C-STORE statuses answered": table(("Status", "When", "What the sender should do"), _answered()),
        "C-STORE statuses received": table(
            ("Status", "Meaning", "Taken as", "What the node does"), _received()
        ),
        "N-ACTION statuses received": table(("Status", "Taken as", "What the node does"), _requested()),
        "failure reasons": table(("Failure Reason", "Meaning", "What the node does"), _reasons()),
        "N-EVENT-REPORT statuses answered": table(
            ("Status", "When"), ((f"{status:04X}", _EVENTS[status]) for status in EventStatus)
        ),
    }


def _answered() -> Iterator[tuple[str, str, str]]:
    for when, failure in _FAILURES.items():
        status = StoreStatus(_answer(failure))
        yield f"{status:04X}", when, _SENDER[status]
    status = StoreStatus(_answer(None, maximum_bytes=1))
    advice = "do not repeat, unless the limit is raised"
    yield f"{status:04X}", "The data set is longer than `listener.maximum_object_bytes`", advice
    yield f"{StoreStatus.UNFORESEEN:04X}", "A fault of the node itself", "send it again later"


def _answer(failure: Exception | None, *, maximum_bytes: int = 1 << 20) -> int:
    """What the node answers to a C-STORE that meets with this failure."""

    def keep(_: bytes, __: Arrival) -> None:
        if failure is not None:
            raise failure

    arrival = Arrival("PEER", "1.2", "1.2.3")
    storing = Storing(gathered(keep), arrival, ImplicitVRLittleEndian, Rules(maximum_bytes), lambda _: None)
    storing.take(memoryview(b"ab"))
    return storing.answer().status


def _received() -> Iterator[tuple[str, str, str, str]]:
    named = {status for first, last in _MEANINGS for status in range(first, last + 1)}
    for (first, last), meaning in _MEANINGS.items():
        outcome = _one(map(outcome_of, range(first, last + 1)))
        yield _span(first, last), meaning, outcome.value, _DELIVERY[outcome]
    rest = _one(outcome_of(status) for status in _ALL if status not in named)
    yield "any other", "", rest.value, _DELIVERY[rest]
    again = _DELIVERY[Outcome.TRY_AGAIN]
    yield (
        "none",
        "No connection, association rejected or aborted, no answer in time",
        Outcome.TRY_AGAIN.value,
        again,
    )
    refused = _DELIVERY[Outcome.CLASS_REFUSED]
    yield (
        "none",
        "The presentation context of the object was not accepted",
        Outcome.CLASS_REFUSED.value,
        refused,
    )


def _requested() -> Iterator[tuple[str, str, str]]:
    """The same reading of a status as for C-STORE, grouped by what follows."""
    by_outcome = {
        outcome: [_span(*family) for family in _MEANINGS if outcome_of(family[0]) is outcome]
        for outcome in Outcome
    }
    follows = {
        Outcome.STORED: "waits for the report; without one for `delivery.commitment_answer_s`, asks anew under a new Transaction UID",
        Outcome.TRY_AGAIN: "asks anew, under a new Transaction UID, with the waits of `delivery`",
        Outcome.REFUSED: "asks anew, under a new Transaction UID, with the waits of `delivery`",
        Outcome.CLASS_REFUSED: "parked: the destination does no storage commitment, see `commitment` in its configuration",
    }
    for outcome, families in by_outcome.items():
        also = _WITHOUT_STATUS.get(outcome, "")
        yield ", ".join(families) + also, outcome.value, follows[outcome]


def _reasons() -> Iterator[tuple[str, str, str]]:
    for reason in (0x0110, NO_SUCH_INSTANCE, 0x0213, 0x0119, 0x0122, 0x0131):
        _, _, meaning = in_words(reason).partition(f"{reason:04X}: ")
        parked = "parked with the reason, until a person runs `sedas-node retry`"
        again = "sent again, the same bytes, and commitment asked anew"
        yield f"{reason:04X}", meaning, parked if reason in FOR_GOOD else again
    yield "any other", "", "sent again, the same bytes, and commitment asked anew"


def _span(first: int, last: int) -> str:
    return f"{first:04X}" if first == last else f"{first:04X} to {last:04X}"


def _one(outcomes: Iterable[Outcome]) -> Outcome:
    found = [outcome for outcome, _ in groupby(sorted(outcomes))]
    if len(found) != 1:
        raise NotOneMeaning(f"{found} in one family of statuses")
    return found[0]
