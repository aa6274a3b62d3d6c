"""The node's side of one association in a single thread: bytes of a peer in, and every exception out.

In a running node these steps are taken by two threads for each peer, in which an exception would go unseen.
"""

import socket
from functools import cache
from typing import Any, cast

from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.transport import AddressInformation

from dicom_out.commitment import PUSH_MODEL
from node.acceptor import Acceptor
from node.reactor import Begin, Served
from node.scp import VERIFICATION, _begin, on_c_echo
from node.status import StoreStatus
from node.storing import Rules, gathered

MOST_STEPS = 20_000  # of the upper layer, for one input
LONGEST_INPUT = 1 << 16  # what a socket holds that nobody reads


class Endless(Exception):
    """An association that did not end although its peer is gone."""


class _Stepped(Served):
    """One whose threads were never started."""

    def kill(self) -> None:
        self._kill = True
        self.is_established = False

    def abort(self, block: bool = True) -> None:
        del block
        super().abort(block=False)


def converse(content: bytes, *, is_patient: bool | None = None) -> bytes:
    """What the node answers to a peer that sends this and is gone. Raises what would have ended a thread.

    Does the peer wait for an answer to its first PDU? Where it is not said, the sum of its bytes says so.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        association = _association(ours)
        if is_patient is None:
            is_patient = sum(content) % 4 > 0
        first = 6 + int.from_bytes(content[2:6], "big") if is_patient else 0
        if len(content) <= first:  # it would wait for a rest that never comes
            first = 0
        theirs.sendall(content[: min(first, LONGEST_INPUT)])
        theirs.setblocking(False)
        answers: list[bytes] = []
        try:
            _run(association, theirs, content[first:LONGEST_INPUT], answers)
        finally:
            cast("Any", association.dimse).drop()
            cast("Any", association.dul.socket).close()
        return b"".join(answers)


def _answered(theirs: socket.socket) -> bytes:
    try:
        return theirs.recv(1 << 20)
    except OSError:
        return b""


def _association(connection: socket.socket) -> _Stepped:
    acceptor = _acceptor()
    association = Association(acceptor, "acceptor")
    association.acceptor.maximum_length = acceptor.maximum_pdu_size
    association.acceptor.ae_title = "SEDAS"
    association.acceptor.address_info = association.requestor.address_info = _here()
    association.acceptor.implementation_class_uid = acceptor.implementation_class_uid
    association.acceptor.supported_contexts = _contexts()
    association.bind(evt.EVT_C_ECHO, on_c_echo)
    association.bind(evt.EVT_N_EVENT_REPORT, _reported)
    association.__class__ = _Stepped
    stepped = cast("_Stepped", association)
    stepped.assume(connection, acceptor.begin)
    cast("Any", stepped.dul).is_alive = lambda: True
    cast("Any", acceptor).alone = stepped
    return stepped


@cache
def _here() -> AddressInformation:
    return AddressInformation("127.0.0.1", 104)


@cache
def _contexts() -> list[PresentationContext]:
    syntaxes: list[str | UID] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    contexts = [build_context(uid, syntaxes) for uid in (CTImageStorage, VERIFICATION, PUSH_MODEL)]
    contexts[2].scu_role, contexts[2].scp_role = False, True
    return contexts


class _Alone(Acceptor):
    """An acceptor without a server."""

    alone: Association | None = None

    @property
    def active_associations(self) -> list[Association]:
        return [self.alone] if self.alone is not None else []


@cache
def _acceptor() -> _Alone:
    acceptor = _Alone(ae_title="SEDAS")
    acceptor.require_called_aet = True
    acceptor.require_calling_aet = ["PACS"]
    acceptor.network_timeout, acceptor.acse_timeout = 0.02, 5.0
    acceptor.begin = cast(
        "Begin", lambda requested: _begin(gathered(lambda *_: None), Rules(1 << 20), requested)
    )
    return acceptor


def _reported(event: evt.Event) -> tuple[int, None]:
    del event.event_information
    return StoreStatus.SUCCESS, None


def _run(association: _Stepped, peer: socket.socket, rest: bytes, answers: list[bytes]) -> None:
    is_negotiated = is_said = False
    dul = association.dul
    for _ in range(MOST_STEPS):
        if _is_over(association):
            return
        if not is_said and dul.event_queue.empty() and dul.to_provider_queue.empty():
            is_said = True
            peer.sendall(rest)
            peer.shutdown(socket.SHUT_WR)
        _step(association)
        answers.append(_answered(peer))
        if association._kill:
            continue
        if not is_negotiated:
            primitive = dul.receive_pdu(wait=False)
            if primitive is None:
                continue
            is_negotiated = True
            association.requestor.primitive = cast("Any", primitive)
            evt.trigger(association, evt.EVT_REQUESTED, {})
            association.acse.negotiate_association()
        if association.is_established:
            association._look_around()
    raise Endless(f"{MOST_STEPS} steps")


def _is_over(association: _Stepped) -> bool:
    dul = association.dul
    is_closed = dul.state_machine.current_state == "Sta1" and dul.event_queue.empty()
    return dul._kill_thread or (is_closed and cast("Any", dul.socket).socket is None)


def _step(association: _Stepped) -> None:
    """What `DULServiceProvider.run_reactor` does in a turn, but for what it catches."""
    dul = association.dul
    if not dul._process_recv_primitive():
        dul._is_transport_event()
    if not dul.event_queue.empty():
        dul.state_machine.do_action(dul.event_queue.get_nowait())
