"""Reception by the node and by three peers: the same 300 CT instances of 512 x 512 from DCMTK's storescu, in one run.

`make reception` writes its section of docs/reliability.md. The node answers when file and row
are on the disk; pynetdicom's application and DCMTK's storescp wait for no disk, Orthanc for its index. A measurement
begins with an empty receiver and a disk that has written everything; nothing is deleted before the end, since ext4
searches long for a new file's place among those of files that were just deleted. The rates are instances per second
from the start of the senders to the end of the last.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pydicom.uid import ExplicitVRLittleEndian
from rich.console import Console

from tests.benchmarks.loading import written
from tests.conftest import ROOT
from tests.faults.processes import processes_of
from tests.faults.section import replace_section
from tests.nodes import running_node
from tests.peers import free_port, orthanc, require, wait_for
from tests.statement.document import table

INSTANCES = 300
SENDERS = (1, 2, 4, 8)
ROUNDS = 5
REPEATS = 40  # of all instances, each a study of its own, for the memory
UNDELAYED = {"TCP_NODELAY": "1"}  # DCMTK's way to switch Nagle's algorithm off
OURS = "sedas-node"

Counted = Callable[[], int]
"""How many instances the receiver has."""


@contextmanager
def _ours(folder: Path) -> Iterator[tuple[int, Counted]]:
    with running_node(_config(folder), with_worker=False) as node:
        yield node.port, lambda: len(list((folder / "state" / "spool").glob("*/*.dcm")))


def _config(folder: Path) -> Path:
    """A node as it is shipped, to which DCMTK may send."""
    path = folder / "config.toml"
    path.write_text(
        f"""\
[listener]
host = "127.0.0.1"
port = 0
calling_ae_titles = ["STORESCU"]
[storage]
folder = "{folder / "state"}"
[http]
port = 0
"""
    )
    return path


@contextmanager
def _pynetdicom(folder: Path) -> Iterator[tuple[int, Counted]]:
    command = [sys.executable, "-m", "pynetdicom", "storescp", "--quiet", "--output-directory", str(folder)]
    with _program(command, {}) as port:
        yield port, lambda: len(list(folder.iterdir()))


@contextmanager
def _dcmtk(folder: Path) -> Iterator[tuple[int, Counted]]:
    command = [require("storescp"), "--fork", "--output-directory", str(folder)]
    with _program(command, UNDELAYED) as port:
        yield port, lambda: len(list(folder.iterdir()))


@contextmanager
def _orthanc(folder: Path) -> Iterator[tuple[int, Counted]]:
    with orthanc(folder) as peer:
        yield peer.dicom_port, lambda: int(peer.get("/statistics")["CountInstances"])


@contextmanager
def _orthanc_undelayed(folder: Path) -> Iterator[tuple[int, Counted]]:
    with orthanc(folder, environment=UNDELAYED) as peer:
        yield peer.dicom_port, lambda: int(peer.get("/statistics")["CountInstances"])


@contextmanager
def _program(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [*command, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | environment,
    )
    try:
        wait_for(lambda: _echoed(port), f"{command[0]} to listen")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _echoed(port: int) -> bool:
    command = [require("echoscu"), "127.0.0.1", str(port)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


Receiver = Callable[[Path], AbstractContextManager[tuple[int, Counted]]]

RECEIVERS: dict[str, tuple[Receiver, str]] = {
    OURS: (_ours, "SEDAS"),
    "pynetdicom storescp": (_pynetdicom, "ANY-SCP"),
    "Orthanc, defaults": (_orthanc, "ORTHANC"),
    "Orthanc, TCP_NODELAY": (_orthanc_undelayed, "ORTHANC"),
    "DCMTK storescp, not durable": (_dcmtk, "ANY-SCP"),
}
"""Each with the AE title it is called by."""


@dataclass(frozen=True)
class Memory:
    """Of the node and its receiving processes together, in MB, after so many instances."""

    instances: int
    resident_mb: float


def rate(receiver: str, parts: list[Path], folder: Path) -> float:
    """Instances per second, with as many senders as there are parts, each on an association of its own."""
    receive, title = RECEIVERS[receiver]
    with receive(folder) as (port, count), ExitStack() as senders:
        started = time.perf_counter()
        processes = [senders.enter_context(_sending(part, title, port)) for part in parts]
        codes = [process.wait(300) for process in processes]
        seconds = time.perf_counter() - started
        if any(codes) or count() != INSTANCES:
            raise SystemExit(f"{receiver}: {count()} of {INSTANCES} instances are there, exit codes {codes}")
    return INSTANCES / seconds


def _sending(part: Path, title: str, port: int, *further: str) -> "subprocess.Popen[bytes]":
    command = [require("storescu"), "--scan-directories", "--quiet", "--call", title, *further]
    return subprocess.Popen([*command, "127.0.0.1", str(port), str(part)], env=os.environ | UNDELAYED)


def parted(study: Path, count: int, folder: Path) -> list[Path]:
    """The study in so many folders, by hard links."""
    parts = [folder / f"{count}-{number}" for number in range(count)]
    for part in parts:
        part.mkdir(parents=True)
    for number, file in enumerate(sorted(study.iterdir())):
        os.link(file, parts[number % count] / file.name)
    return parts


def memory(study: Path, folder: Path) -> list[Memory]:
    """While ever more studies come, each with UIDs of its own."""
    measured = []
    folder.mkdir()
    with running_node(_config(folder), with_worker=False) as node:
        for repeat in range(1, REPEATS + 1):
            new = ["--invent-series", f"{INSTANCES}", "--invent-study", "1"]
            with _sending(study, "SEDAS", node.port, *new) as sender:
                if sender.wait(300):
                    raise SystemExit(f"the node took in less than {INSTANCES} instances")
            resident = sum(process.rss_bytes for process in processes_of(node.process.pid))
            measured.append(Memory(repeat * INSTANCES, resident / 1e6))
    return measured


Rates = dict[str, dict[int, list[float]]]
"""Of every round, by receiver and number of senders."""


def rates(study: Path, folder: Path, screen: Console) -> Rates:
    parts = {count: parted(study, count, folder / "parts") for count in SENDERS}
    found: Rates = {receiver: {count: [] for count in SENDERS} for receiver in RECEIVERS}
    for number in range(ROUNDS):
        for senders in SENDERS:
            for (
                receiver
            ) in RECEIVERS:  # one after the other, since the speed of a machine changes with the minute
                empty = folder / f"{number}" / f"{senders}" / receiver
                empty.mkdir(parents=True)
                os.sync()
                found[receiver][senders].append(rate(receiver, parts[senders], empty))
                screen.print(
                    f"round {number + 1}: {receiver}, {senders}: {found[receiver][senders][-1]:.0f}/s"
                )
    return found


def report(found: Rates, resident: list[Memory]) -> str:
    """The section of the page."""
    middle = {name: {count: median(of[count]) for count in SENDERS} for name, of in found.items()}
    heads = ("receiver", *(f"{count} association{'s' if count > 1 else ''}" for count in SENDERS))
    rows = [(name, *(f"{middle[name][count]:.0f}" for count in SENDERS)) for name in RECEIVERS]
    compared = [
        (f"{OURS} / {name}", *(f"{_ratio(found, name, count):.2f}" for count in SENDERS))
        for name in RECEIVERS
        if name != OURS
    ]
    grown = [(f"{one.instances}", f"{one.resident_mb:.0f}") for one in resident[:1] + resident[4::5]]
    return f"""\
## Reception

`make reception`: {INSTANCES} CT instances of 512 x 512 (527 kB each) from DCMTK's `storescu`
with TCP_NODELAY=1, on one machine with two cores, which the senders use too. Instances per second, the median of
{ROUNDS} rounds in one run. The node has answered when the file and its row are on the disk; pynetdicom's application
and DCMTK's storescp write without waiting for the disk. Orthanc as Debian has it waits for Nagle's algorithm at every
answer; with TCP_NODELAY in its environment it does not.

{table(heads, rows)}
The ratios, each the median of those of the rounds:

{table(heads, compared)}
Resident memory of the node and its two receiving processes, while one association after the other sends a study of
{INSTANCES} instances. It rises until each process's cache of database pages is full (2 MB a connection) and then stays:

{table(("instances", "MB"), grown)}
"""


def _ratio(found: Rates, name: str, senders: int) -> float:
    pairs = zip(found[OURS][senders], found[name][senders], strict=True)
    return median(ours / theirs for ours, theirs in pairs)


def main() -> None:
    screen = Console(stderr=True)
    kept = ROOT / "docs" / "reliability" / "reception.json"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = folder / "study"
        written(INSTANCES, ExplicitVRLittleEndian, study)
        found = rates(study, folder, screen)
        resident = memory(study, folder / "memory")
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"rates": found, "memory": [vars(one) for one in resident]}, indent=1) + "\n")
    replace_section("reception", report(found, resident))


if __name__ == "__main__":
    main()
