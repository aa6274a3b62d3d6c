"""An audit record repository on this machine: syslog over TLS, read frame by frame; and its certificates."""

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

from config.settings import Syslog
from tests.peers import require

HEADER = re.compile(
    rb"<85>1 (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<host>[!-~]+) sedas-node - DICOM\+RFC3881 "
    rb'\[meta sequenceId="(?P<number>\d+)"\] \xef\xbb\xbf'
)


@dataclass(frozen=True)
class Entry:
    """One message as it came, its header and its XML taken apart."""

    at: str
    number: int
    message: ElementTree.Element

    @property
    def event(self) -> str:
        return _attribute(self.message, "EventIdentification/EventID", "csd-code")

    def attribute(self, path: str, name: str) -> str:
        return _attribute(self.message, path, name)


def _attribute(message: ElementTree.Element, path: str, name: str) -> str:
    found = message.find(path)
    assert found is not None
    return found.attrib[name]


@dataclass
class Repository:
    """What it was sent, and how it behaves: it may hang up after so many messages, without having read the rest."""

    port: int = 0
    frames: list[bytes] = field(default_factory=list)
    hangs_up_after: int | None = None

    @property
    def entries(self) -> list[Entry]:
        return [_entry(message) for message in self.frames]


def _entry(message: bytes) -> Entry:
    header = HEADER.match(message)
    assert header is not None, message[:200]
    xml = ElementTree.fromstring(message[header.end() :])  # noqa: S314 - the node under test wrote it
    return Entry(header["at"].decode(), int(header["number"]), xml)


@dataclass(frozen=True)
class Certificates:
    """Of a repository on localhost and of a node, by one authority."""

    ca: Path
    repository: Path
    node: Path

    def settings(self, port: int) -> Syslog:
        return Syslog(
            host="localhost",
            port=port,
            ca_file=self.ca,
            certificate=self.node,
            key=self.node.with_suffix(".key"),
        )


def certificates(folder: Path) -> Certificates:
    ca = folder / "ca.pem"
    _openssl("req", "-x509", *_KEY, "-keyout", folder / "ca.key", "-out", ca, "-days", "2", "-subj", "/CN=ca")
    for name in ("repository", "node"):
        _openssl(
            "req", "-x509", *_KEY, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-days", "2",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost", "-CA", ca, "-CAkey", folder / "ca.key",
            "-addext", "basicConstraints=critical,CA:FALSE",
        )  # fmt: skip
    return Certificates(ca, folder / "repository.pem", folder / "node.pem")


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([require("openssl"), *map(str, arguments)], capture_output=True, check=True, timeout=60)


@contextmanager
def repository(known: Certificates, port: int = 0) -> Iterator[Repository]:
    """It listens for as long as the block runs, asks for a certificate, and takes one connection at a time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(known.repository, known.repository.with_suffix(".key"))
    context.load_verify_locations(known.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", port)) as listener:
        taken = Repository(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, context, taken), daemon=True)
        thread.start()
        try:
            yield taken
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext, taken: Repository) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    _read(secured, taken)
            except OSError:
                continue


def _read(secured: ssl.SSLSocket, taken: Repository) -> None:
    with secured.makefile("rb") as stream:
        while length := _length(stream.read(1), stream):
            if taken.hangs_up_after == len(taken.frames):
                return
            taken.frames.append(stream.read(length))
        secured.unwrap()


def _length(first: bytes, stream: BinaryIO) -> int:
    """MSG-LEN SP of RFC 5425 4.3; 0 at the end of the stream."""
    digits = first
    while first and not digits.endswith(b" "):
        digits += stream.read(1)
    assert not digits or re.fullmatch(rb"[1-9]\d* ", digits), digits
    return int(digits or b"0")
