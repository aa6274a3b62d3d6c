"""C-ECHO, C-STORE and storage commitment as a client: what is offered, in which transfer syntaxes.

A peer's fault is never an exception here: it is the outcome of the files that it concerns.
"""

import errno
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from ssl import SSLCertVerificationError, SSLContext, SSLError, SSLSocket
from threading import Event as Flag
from typing import Any, cast

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom.association import Association
from pynetdicom.dimse_messages import N_EVENT_REPORT_RSP
from pynetdicom.events import Event
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import AddressInformation, AssociationSocket

from dicom_out.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE, REQUEST, Item, action_information
from dicom_out.identity import IMPLEMENTATION_CLASS_UID, implementation_version_name
from dicom_out.outcome import Outcome, SendResult, result_of, unreadable

MAX_PDU = 131072
LONGEST_PDU = 1 << 20  # that is read at all; no setting allows a longer one
TIMEOUT_S = 60.0
MOST_WAITING = 2  # messages of a peer that does not wait for answers
NOTICED_WITHIN_S = 5.0
TRANSFER_SYNTAX_REJECTED = 4  # the result of a presentation context (PS3.8 table 9-18)
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd identifiers from 1 to 255
UNREADABLE = (OSError, InvalidDicomError, AttributeError, EOFError)  # what reading a result can raise
_UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


@dataclass(frozen=True)
class Secured:
    """How a peer is spoken to over TLS: our certificate and whom we trust, and the name its certificate is for."""

    context: SSLContext
    server_name: str


@dataclass(frozen=True)
class Peer:
    ae_title: str
    host: str
    port: int
    tls: Secured | None = None


def echo(peer: Peer, *, calling_ae_title: str = "SEDAS", timeout_s: float = TIMEOUT_S) -> SendResult:
    """Is the peer there, and does it talk to us?"""
    try:
        association = _Entity(calling_ae_title).open(
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
    association = _Entity(calling_ae_title).open(peer, offered, timeout_s)
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
        association = _Entity(calling_ae_title).open(peer, offered, timeout_s)
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
        association = _Entity(calling_ae_title).open(
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


Handlers = list[tuple[Any, Any]]


class NoConnection(Exception):
    """The peer's host is unknown or does not take a connection."""


class Connection(AssociationSocket):
    """The socket of an association, of ours or of a peer's: no peer holds it for ever, and TLS that ended says why."""

    alert = ""  # in TLS 1.3 a peer refuses our certificate only after the handshake

    @property
    def ready(self) -> bool:
        """Is there something to be read? Not while messages wait: memory does not grow with what a peer sends ahead."""
        return self.assoc.dimse.msg_queue.qsize() < MOST_WAITING and super().ready

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes, or fewer where the peer is gone; all of them within the network timeout, not each.

        Raises OSError, TimeoutError when it is over.
        """
        connection = cast("socket.socket", self.socket)
        if nr_bytes > LONGEST_PDU:
            raise OSError(errno.EMSGSIZE, f"a PDU of {nr_bytes} bytes")
        limit = self.assoc.network_timeout
        until = None if limit is None else time.monotonic() + limit
        received = bytearray()
        try:
            while len(received) < nr_bytes:
                if until is not None:
                    connection.settimeout(max(until - time.monotonic(), 0.001))
                part = connection.recv(min(nr_bytes - len(received), 65536))
                if not part:
                    break
                received += part
            connection.settimeout(limit)
        except SSLError as error:
            self.alert = in_words(error)
            raise
        return received

    def _shutdown_socket(self) -> None:
        """pynetdicom 3.0.4 leaves a socket open whose peer is gone already, or never was there."""
        super()._shutdown_socket()
        if self.socket is not None:
            self.socket.close()


def in_words(error: OSError) -> str:
    """What went wrong with a connection, in OpenSSL's words where they say more than the number."""
    if isinstance(error, SSLCertVerificationError):
        return f"its certificate: {error.verify_message}"
    if isinstance(error, SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return error.strerror or str(error) or type(error).__name__


class _Entity(AE):
    """An application entity for one association."""

    _connection: Connection | None = None
    _is_connected = False
    _failure = ""

    def open(
        self,
        peer: Peer,
        offered: list[PresentationContext],
        timeout_s: float,
        handlers: Handlers | None = None,
    ) -> Association:
        self.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        self.implementation_version_name = implementation_version_name(version("sedas-node"))
        self.connection_timeout = self.acse_timeout = self.dimse_timeout = self.network_timeout = timeout_s
        try:
            association = self.associate(
                peer.host,
                peer.port,
                contexts=offered,
                ae_title=peer.ae_title,
                max_pdu=MAX_PDU,
                tls_args=None if peer.tls is None else (peer.tls.context, peer.tls.server_name),
                evt_handlers=[(evt.EVT_CONN_OPEN, self._connected), *(handlers or ())],
            )
        except OSError as error:
            raise NoConnection(f"no connection to {peer.host}: {error.strerror}") from error
        if not self._is_connected:
            raise NoConnection(f"no connection to {peer.host} port {peer.port}{self._failure}")
        if not association.is_established and self._connection is not None and self._connection.alert:
            raise NoConnection(f"{peer.host} port {peer.port} ended TLS: {self._connection.alert}")
        return association

    def _create_socket(
        self, assoc: Association, address: AddressInformation, tls_args: tuple[SSLContext, str] | None
    ) -> AssociationSocket:
        """Small messages do not wait for the acknowledgement of the one before (Nagle), which costs 40 ms each."""
        self._connection = created = Connection(assoc, address=address)
        plain = cast("socket.socket", created.socket)  # it has one until it is closed
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls_args is not None:  # not left to pynetdicom, which tells no reason
            context, server_name = tls_args
            created.socket = context.wrap_socket(
                plain, server_hostname=server_name, do_handshake_on_connect=False
            )
        return created

    def _connected(self, event: Event) -> None:
        """Shake hands here, where a failure can be told; no read waits longer than the network timeout from now on."""
        connection = cast("AssociationSocket", event.assoc.dul.socket).socket
        if connection is None:
            return
        connection.settimeout(self.network_timeout)
        if isinstance(connection, SSLSocket):
            try:
                connection.do_handshake()
            except OSError as error:
                self._failure = f": TLS: {in_words(error)}"
                connection.close()
                return
        self._is_connected = True


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
    except (
        ValueError,
        AttributeError,
    ) as error:  # its transfer syntax not accepted, or not what its header says
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
