"""A peer that speaks no library's DICOM: what it says, in whatever state, ends within the node's time, and leaves nothing behind."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage

from dicom_out.association import Peer
from dicom_out.outcome import Outcome
from dicom_out.scu import echo, send_files
from node.scp import VERIFICATION
from tests.fuzz.seeds import ABORT, ECHO, RELEASE, STORE, command, pdata, request
from tests.nodes import Node, recording_pacs, running_node, write_config
from tests.peers import ends_within, wait_for
from tests.phantom import small_study

TIMEOUT_S = 1.5
LISTENER = f"""port = 0
processes = 1
network_timeout_s = {TIMEOUT_S}
maximum_object_bytes = {1 << 20}
maximum_associations = 60
calling"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with recording_pacs() as pacs:
        config = write_config(tmp_path, pacs.port)
        config.write_text(config.read_text().replace("port = 0\ncalling", LISTENER, 1))
        with running_node(config) as node:
            yield node


def _sized(kind: int, body: bytes, length: int | None = None) -> bytes:
    return bytes([kind, 0]) + (len(body) if length is None else length).to_bytes(4, "big") + body


def _item(kind: int, body: bytes) -> bytes:
    return bytes([kind, 0]) + len(body).to_bytes(2, "big") + body


def _asking(*items: bytes, called: bytes = b"SEDAS") -> bytes:
    """An A-ASSOCIATE-RQ with these items alone (PS3.8 9.3.2)."""
    return _sized(1, b"\0\1\0\0" + called.ljust(16) + b"PACS".ljust(16) + bytes(32) + b"".join(items))


def _context(number: int) -> bytes:
    syntaxes = _item(0x30, str(CTImageStorage).encode()) + _item(0x40, b"1.2.840.10008.1.2.1")
    return _item(0x20, bytes([number, 0, 0, 0]) + syntaxes)


STORE_CT = command(STORE, CTImageStorage, has_data=True)
ECHO_US = command(ECHO, VERIFICATION, has_data=False)
NAME = _item(0x10, b"1.2.840.10008.3.1.1.1")
LENGTH = _item(0x50, _item(0x51, (16384).to_bytes(4, "big")))

FIRST: Mapping[str, bytes] = {
    "nothing": b"",
    "half a header": request()[:3],
    "half a request": request()[:90],
    "another protocol": b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
    **{f"PDU type {kind} first": _sized(kind, bytes(4)) for kind in (0, 2, 3, 5, 6, 7, 9, 255)},
    "data first": pdata((1, 3, ECHO_US)),
    "a length of 4 GB": _sized(1, b"", 0xFFFFFFFF),
    "a request of no bytes": _sized(1, b""),
    "a request of zeros": _sized(1, bytes(300)),
    "3000 contexts": _asking(NAME, *[_context(2 * (i % 128) + 1) for i in range(3000)], LENGTH),
    "items that lie about their length": _asking(NAME, b"\x20\0\xff\xff" + bytes(40), LENGTH),
    "user information without end": _asking(
        NAME, _context(1), _item(0x50, _item(0x55, b"A" * 60_000) + b"\x52\0\xff\xff")
    ),
    "a title of control characters": _asking(NAME, _context(1), LENGTH, called=b"\0\1\2\3\x1b[31m"),
}
THEN: Mapping[str, bytes] = {
    "nothing more": b"",
    "a second request": request(),
    "an acceptance": _sized(2, request()[6:]),
    "a rejection": _sized(3, bytes(4)),
    "a release of nothing": _sized(6, bytes(4)),
    "a data set without a command": pdata((1, 2, bytes(10))),
    "a fragment of no bytes": _sized(4, b"\0\0\0\0"),
    "a fragment without control byte": _sized(4, b"\0\0\0\1\1"),
    "a fragment longer than its PDU": _sized(4, b"\0\0\xff\xff\1\3" + ECHO_US),
    "a PDU longer than its fragments": _sized(4, pdata((3, 3, ECHO_US))[6:], 5000),
    "an unknown context": pdata((77, 3, ECHO_US)),
    "an even context": pdata((2, 3, STORE_CT), (2, 2, bytes(10))),
    "a data set in another context": pdata((1, 3, STORE_CT)) + pdata((3, 2, bytes(10))),
    "a command within a data set": pdata((1, 3, STORE_CT)) + pdata((1, 3, ECHO_US)),
    "half a command": pdata((1, 3, STORE_CT[:21])),
    "a command of zeros": pdata((1, 3, bytes(64))),
    "a command without end": b"".join(pdata((1, 1, bytes(16_000))) for _ in range(6)),
    "5000 fragments": pdata(*[(1, 1, b"") for _ in range(5000)]),
    "a C-FIND where images go": pdata((1, 3, command(0x0020, CTImageStorage, has_data=True)), (1, 2, b"")),
    "an unknown command": pdata((1, 3, command(0x7777, CTImageStorage, has_data=False))),
    "a C-STORE that has no data": pdata((1, 3, command(STORE, CTImageStorage, has_data=False))),
    "a data set of nothing": pdata((1, 3, STORE_CT)) + pdata((1, 2, b"")),
    "a data set without end": pdata((1, 3, STORE_CT)) + b"".join(pdata((1, 0, bytes(60_000))) for _ in range(40)),
    "a path for a UID": pdata((1, 3, command(STORE, CTImageStorage, has_data=True, uid="../../../etc/cron.d/x")))
    + pdata((1, 2, bytes(100))),
    "a release, then data": RELEASE + pdata((3, 3, ECHO_US)),
    "an abort, then data": ABORT + pdata((3, 3, ECHO_US)),
}  # fmt: skip


def test_whatever_a_peer_says_ends_in_time_and_the_next_study_is_analysed(node: Node, tmp_path: Path) -> None:
    _say_everything(node)  # what the first peers make it open for good
    before = _threads(node), _descriptors(node)
    memory = _memory_kb(node)
    for _ in range(3):
        _say_everything(node)
    wait_for(lambda: _threads(node) <= before[0] + 2, "the threads to end")
    wait_for(lambda: _descriptors(node) <= before[1] + 4, "the sockets to be closed")
    assert _memory_kb(node) < memory + 80_000
    spool = node.config.parent / "state"
    assert [path for path in spool.rglob("*.part") if path.parent.name != "incoming"] == []
    assert not any((spool / "incoming").glob("*"))

    study = small_study(tmp_path / "study")
    peer = Peer("SEDAS", "127.0.0.1", node.port)
    assert {each.outcome for each in send_files(study, peer, calling_ae_title="PACS")} == {Outcome.STORED}
    assert [job["state"] for job in node.settled()] == ["DONE"]


def _say_everything(node: Node) -> None:
    """To the node, at once, each on a connection of its own; an honest peer is served meanwhile."""
    with ExitStack() as stack:
        held: dict[str, socket.socket] = {}

        def open_one(what: str, content: bytes) -> socket.socket:
            held[what] = stack.enter_context(socket.create_connection(("127.0.0.1", node.port)))
            held[what].settimeout(5)
            _send(held[what], content)
            return held[what]

        for what, content in FIRST.items():
            open_one(what, content)
        for what, content in THEN.items():
            connection = open_one(what, request())
            assert connection.recv(1) == b"\2", what
            _send(connection, content)
        assert echo(Peer("SEDAS", "127.0.0.1", node.port), calling_ae_title="PACS", timeout_s=5).outcome is Outcome.STORED  # fmt: skip
        assert [what for what, peer in held.items() if not ends_within(peer, 3 * TIMEOUT_S + 5)] == []


def _send(connection: socket.socket, content: bytes) -> None:
    try:
        connection.sendall(content)
    except (ConnectionResetError, BrokenPipeError):
        return  # it was ended before all was said


def _threads(node: Node) -> int:
    return len(list(Path(f"/proc/{node.process.pid}/task").iterdir()))


def _descriptors(node: Node) -> int:
    return len(list(Path(f"/proc/{node.process.pid}/fd").iterdir()))


def _memory_kb(node: Node) -> int:
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
