"""`sedas-node send` and `echo`: a person talks to a peer by hand."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from config.settings import Settings
from dicom_out.association import Peer
from dicom_out.outcome import Outcome, SendResult
from dicom_out.scu import echo, send_files
from node.commission import destination_named
from node.tls import peer_of

_AE_TITLE = r"[ -?A-\[\]-~]{1,16}"  # PS3.5 6.2: no backslash; and no @ here
_PEER = re.compile(rf"(?P<ae_title>{_AE_TITLE})@(?P<host>.+):(?P<port>\d{{1,5}})")


class BadPeer(Exception):
    """Not an address of a peer."""


@dataclass(frozen=True)
class Address:
    """A peer, and the AE title that it is called under."""

    peer: Peer
    calling: str


def addressed(to: str, calling: str | None, settings: Callable[[], Settings]) -> Address:
    """The peer that a person names: by its address, or, a destination, by its name in the settings."""
    if "@" in to:
        return Address(parse_peer(to), check_title(calling or "SEDAS"))
    known = settings()
    return Address(peer_of(destination_named(known, to)), check_title(calling or known.listener.ae_title))


def parse_peer(text: str) -> Peer:
    parts = _PEER.fullmatch(text)
    if parts is None or not 0 < int(parts["port"]) < 65536:
        raise BadPeer(f"{text}: expected AET@HOST:PORT, such as ORTHANC@127.0.0.1:4242")
    return Peer(parts["ae_title"], parts["host"], int(parts["port"]))


def check_title(calling: str) -> str:
    if not re.fullmatch(_AE_TITLE, calling) or not calling.strip():
        raise BadPeer(f"{calling!r}: expected an AE title of 1 to 16 ASCII characters")
    return calling


def dicom_files(path: Path) -> list[Path]:
    """The DICOM files at or below `path`: those with the prefix of PS3.10 section 7.1."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return [file for file in files if _has_prefix(file)]


def _has_prefix(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(132)[128:] == b"DICM"


def send_path(path: Path, to: Address, screen: Console) -> bool:
    """Send every DICOM file at `path`; were all of them stored?"""
    files = dicom_files(path)
    results = list(
        track(
            send_files(files, to.peer, calling_ae_title=to.calling),
            "sending",
            total=len(files),
            console=screen,
        )
    )
    print_answers(results, screen)
    return bool(results) and all(result.outcome is Outcome.STORED for result in results)


def print_answers(results: Sequence[SendResult], screen: Console) -> None:
    """How many objects met with each answer."""
    if not results:
        screen.print("no DICOM file to send")
    for (outcome, answer), count in Counter((r.outcome, r.answer) for r in results).items():
        screen.print(f"{count} {outcome}" + (f": {answer}" if answer else ""))


def echo_peer(to: Address, screen: Console) -> bool:
    """Does the peer answer a C-ECHO?"""
    result = echo(to.peer, calling_ae_title=to.calling)
    screen.print(
        f"{to.peer.ae_title}@{to.peer.host}:{to.peer.port} {result.outcome}"
        + (f": {result.answer}" if result.answer else "")
    )
    return result.outcome is Outcome.STORED
