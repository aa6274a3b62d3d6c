"""Reception by the node and by three peers: the same 300 CT instances of 512 x 512 from DCMTK's storescu, in one run.

The node answers when file and row are on the disk; the pynetdicom application and DCMTK's storescp do not wait for
it, Orthanc waits for its index. Each measurement begins with an empty receiver; the rates are instances per second
from the start of the senders to the end of the last, the best of the rounds.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian

from tests.benchmarks.loading import written
from tests.nodes import running_node, write_config
from tests.peers import free_port, orthanc, require, wait_for

INSTANCES = 300
SENDERS = (1, 2, 4)
ROUNDS = 3


@dataclass(frozen=True)
class Rate:
    receiver: str
    senders: int
    per_s: float


@dataclass(frozen=True)
class ReceptionFigures:
    rates: list[Rate]


Receiver = Callable[[Path], Iterator[tuple[int, Callable[[], int]]]]
"""Listens while its block runs: gives its port, and how many instances it has."""


@contextmanager
def ours(folder: Path) -> Iterator[tuple[int, Callable[[], int]]]:
    config = write_config(folder, free_port(), quiet_period_s=3600.0)
    with running_node(config, with_worker=False) as node:
        yield node.port, lambda: len(list((folder / "state" / "spool").glob("*/*.dcm")))


@contextmanager
def pynetdicom(folder: Path) -> Iterator[tuple[int, Callable[[], int]]]:
    command = [sys.executable, "-m", "pynetdicom", "storescp", "--quiet", "--output-directory", str(folder)]
    with _program(command) as port:
        yield port, lambda: len(list(folder.iterdir()))


@contextmanager
def dcmtk(folder: Path) -> Iterator[tuple[int, Callable[[], int]]]:
    command = [require("storescp"), "--fork", "--output-directory", str(folder)]
    with _program(command) as port:
        yield port, lambda: len(list(folder.iterdir()))


@contextmanager
def orthanc_defaults(folder: Path) -> Iterator[tuple[int, Callable[[], int]]]:
    with orthanc(folder) as peer:
        yield peer.dicom_port, lambda: int(peer.get("/statistics")["CountInstances"])


@contextmanager
def _program(command: list[str]) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _echoed(port), f"{command[0]} to listen")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _echoed(port: int) -> bool:
    command = [require("echoscu"), "127.0.0.1", str(port)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


RECEIVERS = {
    "sedas-node": (ours, "SEDAS"),
    "pynetdicom storescp": (pynetdicom, "ANY-SCP"),
    "Orthanc": (orthanc_defaults, "ORTHANC"),
    "DCMTK storescp": (dcmtk, "ANY-SCP"),
}


def rate(receiver: str, parts: list[Path], folder: Path) -> Rate:
    """One measurement: as many senders as there are parts, each on an association of its own."""
    receive, title = RECEIVERS[receiver]
    with receive(folder) as (port, count), ExitStack() as senders:
        started = time.perf_counter()
        processes = [
            senders.enter_context(subprocess.Popen(_sender(part, title, port), env=_UNDELAYED))
            for part in parts
        ]
        codes = [process.wait(300) for process in processes]
        seconds = time.perf_counter() - started
        if any(codes) or count() != INSTANCES:
            raise SystemExit(f"{receiver}: {count()} of {INSTANCES} instances are there, exit codes {codes}")
    return Rate(receiver, len(parts), INSTANCES / seconds)


_UNDELAYED = os.environ | {"TCP_NODELAY": "1"}  # DCMTK's way to switch Nagle's algorithm off


def _sender(part: Path, title: str, port: int) -> list[str]:
    command = [require("storescu"), "--scan-directories", "--quiet", "--call", title]
    return [*command, "127.0.0.1", str(port), str(part)]


def parted(study: Path, count: int, folder: Path) -> list[Path]:
    """The study in so many folders, by hard links."""
    parts = [folder / f"{count}-{number}" for number in range(count)]
    for part in parts:
        part.mkdir(parents=True)
    for number, file in enumerate(sorted(study.iterdir())):
        os.link(file, parts[number % count] / file.name)
    return parts


def reception(folder: Path) -> ReceptionFigures:
    study = folder / "study"
    written(INSTANCES, ExplicitVRLittleEndian, study)
    parts = {count: parted(study, count, folder / "parts") for count in SENDERS}
    best: dict[tuple[str, int], Rate] = {}
    for _ in range(ROUNDS):
        for receiver in RECEIVERS:
            for senders in SENDERS:
                empty = folder / "received"
                empty.mkdir()
                measured = rate(receiver, parts[senders], empty)
                shutil.rmtree(empty)
                former = best.get((receiver, senders), measured)
                best[receiver, senders] = max(former, measured, key=lambda one: one.per_s)
    return ReceptionFigures(list(best.values()))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(json.dumps(asdict(reception(Path(folder)))))


if __name__ == "__main__":
    main()
