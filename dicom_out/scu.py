"""C-ECHO, C-STORE and storage commitment as a client: what is offered, in which transfer syntaxes.

A peer's fault is never an exception here: it is the outcome of the files that it concerns.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context, evt
from pynetdicom.association import Association
from pynetdicom.dimse_messages import N_EVENT_REPORT_RSP
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicom_out.association import Handlers, NoConnection, Peer, Requestor
from dicom_out.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, REQUEST, Item, action_information
from dicom_out.outcome import Outcome, SendResult, result_of, unreadable

TIMEOUT_S = 60.0
NOTICED_WITHIN_S = 5.0
TRANSFER_SYNTAX_REJECTED = 4  # the result of a presentation context (PS3.8 table 9-18)
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers from 1 to 255
UNREADABLE = (OSError, InvalidDicomError, AttributeError, EOFError)  # what reading a result can raise
_UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def echo(peer: Peer, *, calling_ae_title: str = "SEDAS", timeout_s: float = TIMEOUT_S) -> SendResult:
    """Is the peer there, and does it talk to us?"""
    try:
        association = Requestor(calling_ae_title).open(
            peer, [build_context(Verification, list(_UNCOMPRESSED))], timeout_s
        )
    except NoConnection as error:
        return SendResult(Outcome.TRY_AGAIN, str(error))
    if not association.is_established:
        return _unreached(association)
    try:
        return result_of(association.send_c_echo())
    finally:
        association.release()


@dataclass(frozen=True)
class Negotiated:
    """A peer's answer to a presentation context of one SOP class and one transfer syntax (PS3.8 9.3.3.2)."""

    sop_class: UID
    transfer_syntax: UID
    result: int  # 0: accepted

    @property
    def in_words(self) -> str:
        words = ("accepted", "rejected by the user", "rejected without a reason", "SOP class not supported",
                 "transfer syntax not supported")  # fmt: skip
        return words[self.result] if self.result < len(words) else f"result {self.result}"


def negotiate(
    peer: Peer,
    pairs: Sequence[tuple[UID, UID]],
    *,
    calling_ae_title: str = "SEDAS",
    timeout_s: float = TIMEOUT_S,
) -> list[Negotiated]:
    """What the peer says to each pair of SOP class and transfer syntax, of at most 128, when nothing is sent.

    Empty where no association came about for another reason. Raises NoConnection.
    """
    offered = [build_context(sop_class, syntax) for sop_class, syntax in pairs]
    association = Requestor(calling_ae_title).open(peer, offered, timeout_s)
    if association.is_established:
        association.release()
    answered = [*association.accepted_contexts, *association.rejected_contexts]
    by_id = {context.context_id: context.result for context in answered}
    return [
        Negotiated(sop_class, syntax, result)
        for number, (sop_class, syntax) in enumerate(pairs)
        if (result := by_id.get(2 * number + 1)) is not None
    ]


def send_files(
    files: Sequence[Path], peer: Peer, *, calling_ae_title: str = "SEDAS", timeout_s: float = TIMEOUT_S
) -> Iterator[SendResult]:
    """Send the files over one association, each in its own transfer syntax, and yield the answers in their order.

    Uncompressed ones are offered as Explicit and as Implicit VR Little Endian.
    """
    offered = contexts(files)
    if not offered:
        yield from (unreadable(path) for path in files)
        return
    try:
        association = Requestor(calling_ae_title).open(peer, offered, timeout_s)
    except NoConnection as error:
        yield from (SendResult(Outcome.TRY_AGAIN, str(error), path=path) for path in files)
        return
    try:
        for path in files:
            yield _send(association, path)
    finally:
        if association.is_established:
            association.release()


Hear = Callable[[int | None, Dataset], int]
"""Takes the Event Type ID and Event Information of an N-EVENT-REPORT and gives the status to answer (PS3.4 J.3.3)."""


def request_commitment(
    items: Sequence[Item],
    transaction_uid: str,
    peer: Peer,
    hear: Hear,
    *,
    calling_ae_title: str = "SEDAS",
    timeout_s: float = TIMEOUT_S,
    stay_s: float = 0.0,
) -> SendResult:
    """Ask the peer to commit to keeping the objects; STORED means that it took the request (PS3.4 J.3.2).

    Its report comes on this association while it lasts, up to `stay_s` longer, or on one of its own, later.
    """
    reported = Flag()

    def on_report(event: Event) -> tuple[int, None]:
        return hear(event.event_type, event.event_information), None

    def on_sent(event: Event) -> None:
        if isinstance(event.message, N_EVENT_REPORT_RSP):
            reported.set()

    handlers: Handlers = [(evt.EVT_N_EVENT_REPORT, on_report), (evt.EVT_DIMSE_SENT, on_sent)]
    try:
        association = Requestor(calling_ae_title).open(
            peer, [build_context(PUSH_MODEL, list(_UNCOMPRESSED))], timeout_s, handlers
        )
    except NoConnection as error:
        return SendResult(Outcome.TRY_AGAIN, str(error))
    if not association.is_established:
        return _unreached(association)
    try:
        answer, _ = association.send_n_action(
            action_information(transaction_uid, items), REQUEST, PUSH_MODEL, PUSH_MODEL_INSTANCE
        )
        result = result_of(_heeded(association, answer))
        if result.outcome is Outcome.STORED:
            reported.wait(stay_s)
        return result
    except RuntimeError:  # the association ended after the look at it above
        return _unreached(association)
    finally:
        if association.is_established:
            association.release()


def contexts(files: Sequence[Path]) -> list[PresentationContext]:
    """A context for each SOP class and kind of transfer syntax among the files, and no other."""
    offered = dict.fromkeys(offer for path in files for offer in _offers(path))
    return [build_context(sop_class, list(syntaxes)) for sop_class, syntaxes in offered][:MOST_CONTEXTS]


def _offers(path: Path) -> Iterator[tuple[UID, tuple[UID, ...]]]:
    """What this file needs; nothing for one that cannot be read."""
    try:
        meta = read_file_meta_info(path)
        syntax, sop_class = meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID
    except UNREADABLE:
        return
    yield sop_class, _UNCOMPRESSED if syntax in _UNCOMPRESSED else (syntax,)


def _send(association: Association, path: Path) -> SendResult:
    if not association.is_established:
        return _unreached(association, path)
    try:
        ds = dcmread(path)
    except UNREADABLE:
        return unreadable(path)
    try:
        if not any(c.abstract_syntax == ds.SOPClassUID for c in association.accepted_contexts):
            own = [c for c in association.rejected_contexts if c.abstract_syntax == ds.SOPClassUID]
            return _not_accepted(own, path)
        return result_of(_heeded(association, association.send_c_store(ds)), path)
    except (ValueError, AttributeError) as error:
        # Its transfer syntax is not accepted, or it is not what its header says.
        return SendResult(Outcome.REFUSED, str(error), path=path)
    except RuntimeError:  # the association ended after the look at it above
        return _unreached(association, path)


def _heeded(association: Association, answer: Dataset) -> Dataset:
    """The answer; where there is none, the association is over, and pynetdicom needs a moment to know it.

    Whatever was sent on it before that moment would be waited for until the timeout.
    """
    if "Status" not in answer:
        association.join(NOTICED_WITHIN_S)
    return answer


def _unreached(association: Association, path: Path | None = None) -> SendResult:
    """Without an association only a peer that takes none of the SOP classes refuses for good.

    Every other reason, a rejected AE title too, is mended at the peer or the network and not at the file.
    """
    if association.rejected_contexts and not association.accepted_contexts:
        return _not_accepted(association.rejected_contexts, path)
    if association.is_rejected:
        return SendResult(Outcome.TRY_AGAIN, _rejection(association), path=path)
    return SendResult(Outcome.TRY_AGAIN, "the association was aborted", path=path)


def _not_accepted(rejected: Sequence[PresentationContext], path: Path | None) -> SendResult:
    """Of contexts of which none was accepted (PS3.8 9.3.3.2): another SOP class helps unless it is the transfer syntax."""
    names = ", ".join(sorted({UID(c.abstract_syntax or "").name for c in rejected}))
    if rejected and all(c.result == TRANSFER_SYNTAX_REJECTED for c in rejected):
        return SendResult(Outcome.REFUSED, f"no transfer syntax was accepted of {names}", path=path)
    return SendResult(Outcome.CLASS_REFUSED, f"not accepted: {names}", path=path)


def _rejection(association: Association) -> str:
    answer = association.acceptor.primitive
    reason = "" if answer is None else f": {answer.reason_str}"
    return f"the association was rejected{reason}"
