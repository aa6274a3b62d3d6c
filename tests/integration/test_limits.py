"""Who may call whence, and what no peer can do: hold a thread, a place or memory for longer than it is allowed."""

import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import A_ASSOCIATE, MaximumLengthNotification
from pynetdicom.presentation import build_context

from config.settings import Settings
from dicom_out.association import LONGEST_PDU, Peer
from dicom_out.outcome import Outcome
from dicom_out.scu import echo
from inference.phantom import chest, write_study
from node import acceptor, app, scp
from node.receive import Arrival
from node.status import StoreStatus
from node.storing import gathered
from tests.peers import ends_within, wait_for

TIMEOUT_S = 1.5


@pytest.fixture
def limited(settings: Settings) -> Settings:
    changed = {"network_timeout_s": TIMEOUT_S, "maximum_associations": 2, "maximum_object_bytes": 1 << 20}
    return settings.model_copy(update={"listener": settings.listener.model_copy(update=changed)})


@pytest.fixture
def port(limited: Settings) -> Iterator[int]:
    with app.running(limited) as port:
        yield port


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    phantom = chest(seed=2, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=100.0)
    return dcmread(write_study(phantom, tmp_path_factory.mktemp("ct"))[0])


def _associate(port: int) -> Association:
    ae = AE(ae_title="PACS")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    return ae.associate("127.0.0.1", port, ae_title="SEDAS")


def _rejection(association: Association) -> tuple[int | None, ...]:
    """Result, source and reason (PS3.8 9.3.4)."""
    answer = association.acceptor.primitive
    assert answer is not None
    return answer.result, answer.result_source, answer.diagnostic


def _request(calling: str = "PACS") -> bytes:
    """An A-ASSOCIATE-RQ for CT Image Storage, as bytes."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = calling, "SEDAS"
    context = build_context(CTImageStorage, ExplicitVRLittleEndian)
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    length = MaximumLengthNotification()
    length.maximum_length_received = 16384
    primitive.user_information = [length]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    return bytes(pdu.encode())


def _fragment(length: int, control: int = 0) -> bytes:
    """A P-DATA-TF with a fragment of a data set (PS3.8 9.3.5, E.2); control 2: the last one."""
    value = bytes([1, control, *bytes(length)])
    item = len(value).to_bytes(4, "big") + value
    return b"\x04\x00" + len(item).to_bytes(4, "big") + item


@pytest.mark.parametrize(
    ("networks", "is_let_in"),
    [([], False), (["10.0.0.0/8"], False), (["10.0.0.0/8", "127.0.0.1"], True), (["127.0.0.0/8"], True)],
)
def test_a_known_title_is_let_in_only_from_its_addresses(
    settings: Settings, caplog: pytest.LogCaptureFixture, networks: Sequence[str], is_let_in: bool
) -> None:
    configured = Settings.model_validate(
        settings.model_dump()
        | {"listener": settings.listener.model_dump() | {"caller_addresses": {"PACS": networks}}}
    )
    with app.running(configured) as port, caplog.at_level(logging.WARNING, "node.scp"):
        association = _associate(port)
        assert association.is_established is is_let_in
        if is_let_in:
            association.release()
            return
        assert _rejection(association) == (1, 1, 3)
    (record,) = [r for r in caplog.records if r.name == "node.scp"]
    assert record.getMessage() == "association rejected"
    assert (vars(record)["sender"], vars(record)["address"]) == ("PACS", "127.0.0.1")


def test_half_open_and_slow_senders_end_and_others_are_served(port: int) -> None:
    first = {"nothing": b"", "half a header": _request()[:3], "half a request": _request()[:90]}
    then = {
        "nothing after its request": b"",
        "half a fragment": _fragment(1000)[:400],
        "one": _fragment(1000),
    }
    with ExitStack() as stack:
        held = {}
        for what, content in first.items():
            held[what] = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            held[what].sendall(content)
        for what, content in then.items():
            held[what] = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            held[what].sendall(_request())
            held[what].recv(1)  # accepted, or, since there may be two, rejected
            held[what].sendall(content)
        assert _served(port)
        assert [what for what, peer in held.items() if not ends_within(peer, TIMEOUT_S + 2)] == []
    wait_for(lambda: not _connection_threads(), "the threads to end", timeout_s=5)


def _connection_threads() -> list[str]:
    kinds = ("AcceptorThread", "run_reactor", "process_request_thread")
    return [t.name for t in threading.enumerate() if any(kind in t.name for kind in kinds)]


@pytest.mark.parametrize("content", [b"", b"\x01\x00", _request("STRANGER")])
def test_connections_that_end_early_leave_no_socket_to_the_garbage_collector(
    port: int, content: bytes
) -> None:
    gc.collect()
    gc.disable()
    try:
        before = _sockets()
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)
                assert ends_within(connection, TIMEOUT_S + 2)
        wait_for(lambda: not _connection_threads(), "the threads to end", timeout_s=5)
        assert _sockets() <= before
    finally:
        gc.enable()


def _sockets() -> int:
    """How many this process has open."""
    with os.scandir("/proc/self/fd") as files:
        return sum(Path(file.path).is_socket() for file in files)


def test_a_byte_now_and_then_is_no_reason_to_wait(port: int) -> None:
    request = _request()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        started = time.monotonic()
        connection.settimeout(TIMEOUT_S / 5)
        for byte in request:
            try:
                connection.sendall(bytes([byte]))
                if not connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - started < 2 * TIMEOUT_S + 1  # for its header, and for the rest


def _served(port: int) -> bool:
    """Is an echo answered, at least once a place is free?"""
    until = time.monotonic() + TIMEOUT_S + 2
    peer = Peer("SEDAS", "127.0.0.1", port)
    while time.monotonic() < until:
        if echo(peer, calling_ae_title="PACS", timeout_s=2).outcome is Outcome.STORED:
            return True
    return False


def test_silent_connections_take_no_association_and_are_themselves_limited(port: int) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(acceptor.SPARE_CONNECTIONS)
        ]
        assert _associate(port).is_established
        more = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(10)]
        assert any(ends_within(connection, 0.3) for connection in more[-3:])
        assert all(ends_within(connection, TIMEOUT_S + 3) for connection in silent)


def test_one_association_too_many_is_rejected_as_transient(port: int) -> None:
    kept = [_associate(port) for _ in range(2)]
    one_more = _associate(port)
    assert all(association.is_established for association in kept)
    assert _rejection(one_more) == (2, 3, 2)
    for association in kept:
        association.release()


@pytest.mark.parametrize("length", [LONGEST_PDU + 1, 0xFFFFFFFF])
def test_a_pdu_longer_than_any_may_be_ends_the_connection_unread(port: int, length: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(_request())
        connection.sendall(b"\x04\x00" + length.to_bytes(4, "big"))
        assert ends_within(connection, 1)


def test_a_data_set_that_is_too_long_is_answered_so_and_not_gathered(
    port: int, image: Dataset, limited: Settings
) -> None:
    long = dcmread(image.filename)
    long.Rows = long.Columns = 800
    long.PixelData = bytes(800 * 800 * 2)
    association = _associate(port)
    answer = association.send_c_store(long)
    assert answer.Status == StoreStatus.OUT_OF_RESOURCES
    assert answer.ErrorComment == "longer than 1048576 bytes"
    assert not limited.storage.spool.exists()
    assert association.send_c_store(image).Status == StoreStatus.SUCCESS
    association.release()


def test_a_sender_that_waits_for_no_answer_waits_for_the_node(limited: Settings, image: Dataset) -> None:
    go_on, count = threading.Event(), 80
    kept: list[Arrival] = []

    def keep(_: bytes, arrival: Arrival) -> None:
        go_on.wait(20)
        kept.append(arrival)

    message = _store(image, padding=1 << 19)
    patient = limited.listener.model_copy(update={"network_timeout_s": 20.0})
    with (
        scp.listening(patient, gathered(keep)) as port,
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        connection.sendall(_request())
        connection.recv(1)
        connection.settimeout(2)
        sent = _send_without_waiting(connection, message, count)
        assert sent < count * len(message) / 2
        go_on.set()
        wait_for(lambda: len(kept) >= sent // len(message), "what was sent to be kept", timeout_s=20)


def _send_without_waiting(connection: socket.socket, message: bytes, count: int) -> int:
    """How many bytes the other side takes before it takes no more."""
    sent = 0
    try:
        while sent < count * len(message):
            sent += connection.send(message[sent % len(message) :])
    except TimeoutError:
        pass
    return sent


def _store(image: Dataset, padding: int) -> bytes:
    """A C-STORE of that many more bytes, as PDUs."""
    request = C_STORE()
    request.MessageID, request.Priority = 1, 0
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    request.DataSet = BytesIO(bytes(padding))
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return b"".join(bytes(P_DATA_TF(part).encode()) for part in message.encode_msg(1, 16384))
