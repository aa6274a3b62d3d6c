"""An association of a peer's that moves on when something happens; pynetdicom's own asks every millisecond whether it has."""

import logging
import queue
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ssl import SSLSocket
from threading import Event
from typing import Any, Protocol, cast

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import InvalidEventError, StateMachine
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import P_DATA

from dicom_out.association import MOST_WAITING, Connection
from inference.unreadable import UNREADABLE
from node.store_command import Answer, StoreRequest, read_request, response

log = logging.getLogger(__name__)

P_DATA_TF = 0x04  # PS3.8 9.3.5
LONGEST_COMMAND = 1 << 16  # bytes
LONGEST_WAIT_S = 0.05  # for what makes itself known to nobody: the end of a timer or of the listener


class _Telling(queue.Queue[Any]):
    """A queue that tells when something was put into it."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._tell()


class _Awaited(Connection):
    """The acceptor's socket; `ready` waits for what there is to read, or to send."""

    def __init__(self, assoc: Association, client_socket: socket.socket) -> None:
        super().__init__(assoc, client_socket=client_socket)
        self._asleep, self._alarm = socket.socketpair()
        self._asleep.setblocking(False)
        self._alarm.setblocking(False)

    def wake(self) -> None:
        with suppress(OSError):  # full: it is awake; closed: nobody sleeps
            self._alarm.send(b"\0")

    @property
    def ready(self) -> bool:
        connection = self.socket
        if connection is None or not self._is_connected:
            return False
        has_room = self.assoc.dimse.msg_queue.qsize() < MOST_WAITING
        if has_room and isinstance(connection, SSLSocket) and connection.pending():
            return True
        try:
            poll = select.poll()
            poll.register(self._asleep, select.POLLIN)
            if has_room:
                poll.register(connection, select.POLLIN)
            is_idle = self.event_queue.empty()
            happened = [descriptor for descriptor, _ in poll.poll(LONGEST_WAIT_S * 1000 if is_idle else 0)]
            if self._asleep.fileno() in happened:
                self._asleep.recv(4096)
            return connection.fileno() in happened
        except (OSError, ValueError):  # closed meanwhile
            self.event_queue.put("Evt17")
            return False

    def close(self) -> None:
        super().close()
        self.sleep_no_more()

    def sleep_no_more(self) -> None:
        self._asleep.close()
        self._alarm.close()


class Fragments:
    """A P-DATA-TF PDU of a peer's, and the primitive that it becomes: the fragments where they lie, not copied."""

    def __init__(self, pdu: bytearray) -> None:
        """Raises ValueError for one whose items do not fill it (PS3.8 9.3.5)."""
        self.presentation_data_value_list: list[tuple[int, memoryview]] = []
        left = memoryview(pdu)[6:]
        while left:
            length = int.from_bytes(left[:4], "big")
            if not 1 <= length <= len(left) - 4:
                raise ValueError(f"an item of {length} bytes in {len(left) - 4}")
            self.presentation_data_value_list.append((left[4], left[5 : 4 + length]))
            left = left[4 + length :]

    def to_primitive(self) -> "Fragments":
        return self


class _Provider(DULServiceProvider):
    """Reads the fragments of messages as `Fragments`; pynetdicom would copy each four times."""

    def send_fragment(self, context_id: int, value: bytes) -> None:
        """At once, in the provider's own thread, as a P-DATA-TF PDU (PS3.8 9.3.5); `value` has its control byte first."""
        connection = cast("_Awaited", self.socket)
        if connection.socket is not None:
            head = struct.pack(">BxLLB", P_DATA_TF, len(value) + 5, len(value) + 1, context_id)
            connection.send(head + value)

    def _decode_pdu(self, bytestream: bytearray) -> tuple[Any, str]:
        if bytestream[0] != P_DATA_TF:
            return super()._decode_pdu(bytestream)
        return Fragments(bytestream), "Evt10"


@dataclass(frozen=True)
class Requested:
    """What a C-STORE, and the presentation context that it came in, say of the data set that follows."""

    calling_ae_title: str
    abstract_syntax: str
    transfer_syntax: str
    sop_instance_uid: str
    received: Callable[[str], None]
    """Is told the study of an object that was taken in."""


class Object(Protocol):
    """The data set of a C-STORE as it comes; `answer` or `drop` ends it."""

    def take(self, fragment: memoryview) -> None: ...

    def answer(self) -> Answer:
        """It is whole."""

    def drop(self) -> None:
        """The rest will not come."""


Begin = Callable[[Requested], Object]


@dataclass(frozen=True)
class _Store:
    """A C-STORE whose data set is coming."""

    context_id: int
    request: StoreRequest
    object: Object


class _Storing(DIMSEServiceProvider):
    """Serves C-STORE fragment by fragment, in the thread that reads them; all other messages are pynetdicom's.

    pynetdicom would gather the data set in memory and wake another thread for it.
    """

    def __init__(self, assoc: "Served", begin: Begin) -> None:
        super().__init__(assoc)
        self._begin = begin
        self._received = assoc.studies.add
        self._command = b""
        self._store: _Store | None = None
        self.is_busy = False

    def receive_primitive(self, primitive: P_DATA | Fragments) -> None:
        for context_id, value in primitive.presentation_data_value_list:
            if not value:
                self._refuse()
                return
            control, fragment = value[0], memoryview(value)[1:]
            is_command, is_last = control & 1, control & 2  # PS3.8 E.2
            if self._store is not None:
                if is_command or context_id != self._store.context_id:
                    self._refuse()
                    return
                self._store.object.take(fragment)
                if is_last:
                    self._serve(self._store)
            elif is_command and self.message is None:
                self._command += fragment
                if len(self._command) > LONGEST_COMMAND:
                    self._refuse()
                    return
                if is_last:
                    self._decide(context_id)
            else:
                self._pass_on(context_id, bytes(value))

    def _decide(self, context_id: int) -> None:
        command, self._command = self._command, b""
        context = self.assoc._accepted_cx.get(context_id)  # noqa: SLF001 - it has no other name
        request = read_request(command)
        if request is None or context is None or not context.as_scp:
            self._pass_on(context_id, b"\3" + command)
            return
        uid = request.sop_instance_uid.rstrip(b"\0 ").decode("latin-1")
        requested = Requested(
            calling_ae_title=self.assoc.requestor.ae_title,
            abstract_syntax=str(context.abstract_syntax),
            transfer_syntax=str(context.transfer_syntax[0]),
            sop_instance_uid=uid,
            received=self._received,
        )
        self._store = _Store(context_id, request, self._begin(requested))

    def _serve(self, store: _Store) -> None:
        self._store = None
        self.is_busy = True
        try:
            answer = store.object.answer()
        finally:
            self.is_busy = False
            self.dul._idle_timer.restart()  # noqa: SLF001 - nor has this
        provider = cast("_Provider", self.dul)
        provider.send_fragment(store.context_id, b"\3" + response(store.request, answer))

    def _pass_on(self, context_id: int, value: bytes) -> None:
        super().receive_primitive(_fragment(context_id, value))

    def _refuse(self) -> None:
        """What came is no message: the association is aborted by the provider (PS3.8 9.2, AA-8)."""
        self.drop()
        self.dul.event_queue.put("Evt19")

    def drop(self) -> None:
        """The rest of what is coming will not come."""
        if self._store is not None:
            self._store.object.drop()
            self._store = None


def _fragment(context_id: int, value: bytes) -> P_DATA:
    """A primitive with this fragment alone, control byte first."""
    pair: Any = [context_id, value]  # a list, whatever its annotation says
    part = P_DATA()
    part.presentation_data_value_list = [pair]
    return part


# What pynetdicom raises where what a peer sent is no message, or comes at the wrong time.
_MALFORMED = (*UNREADABLE, OSError, InvalidEventError, queue.Empty)


class _Machine(StateMachine):
    """A step that fails ends the association; pynetdicom's thread would end, and say nothing to the peer."""

    def do_action(self, event: str) -> None:
        try:
            super().do_action(event)
        except _MALFORMED as error:
            facts = {"sender": self.dul.assoc.requestor.ae_title, "reason": type(error).__name__}
            log.warning("association ended, its peer sends what is no message", extra=facts)
            self._end()

    def _end(self) -> None:
        connection = cast("_Awaited", self.dul.socket)
        abort = A_ABORT_RQ()
        abort.source, abort.reason_diagnostic = 2, 0  # PS3.8 9.3.8: the provider, no reason given
        if connection.socket is not None:
            connection.send(abort.encode())
        connection.close()
        self.dul.kill_dul()


class Served(Association):
    """The association of an acceptor: `assume` makes one of pynetdicom's into one."""

    _happened: Event

    studies: set[str]
    """Those of the objects that were taken in."""

    def assume(self, client_socket: socket.socket, begin: Begin) -> None:
        """Take queues and a socket that wake whoever waits for them, before the association has started."""
        connection = _Awaited(self, client_socket)
        self._happened = Event()
        self.studies = set()
        self.dul.__class__ = _Provider
        self.dul.socket = connection
        self.dul.state_machine = _Machine(self.dul)
        self.dul._run_loop_delay = 0.0  # noqa: SLF001 - nor has this
        self.dul.to_provider_queue = _Telling(connection.wake)
        self.dul.to_user_queue = _Telling(self._happened.set)
        self.dimse = _Storing(self, begin)
        self.dimse.msg_queue = _Telling(self._happened.set)

    def run(self) -> None:
        try:
            super().run()
        finally:
            cast("_Awaited", self.dul.socket).sleep_no_more()

    def _run_reactor(self) -> None:
        """Serve the peer until it releases or aborts, is silent for too long, or the association is killed."""
        self._is_paused = False
        try:
            while not self._kill:
                self._happened.wait(LONGEST_WAIT_S)
                self._happened.clear()
                self._look_around()
        finally:
            self.kill()
            cast("_Storing", self.dimse).drop()

    def _look_around(self) -> None:
        context_id, message = self.dimse.get_msg()
        while message is not None and not self._kill:
            self._serve_request(message, cast("int", context_id))
            context_id, message = self.dimse.get_msg()
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
            evt.trigger(self, evt.EVT_RELEASED, {})
            self.kill()
        elif self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)  # for who listens to EVT_ACSE_RECV
            self.is_aborted, self.is_established = True, False
            evt.trigger(self, evt.EVT_ABORTED, {})
            self.kill()
        elif not self.dul.is_alive():
            self.kill()
        elif self.dul.idle_timer_expired() and not cast("_Storing", self.dimse).is_busy:
            self.abort()
            self.kill()
