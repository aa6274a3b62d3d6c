"""A real node in its own processes, as a site runs it, and a PACS that records what it is sent."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from pydicom.uid import CTImageStorage
from sqlalchemy import Engine, text

from config.load import load
from config.settings import Listener, Tls
from db.session import Session, Sessions, connect
from db.states import SETTLED
from dicom_out.iods import IODS
from node import scp
from node.receive import Arrival
from node.storing import gathered
from tests.databases import Database
from tests.models import QUICK
from tests.peers import wait_for


@dataclass
class Pacs:
    """Every object it received, in order, by SOP Instance UID."""

    port: int = 0
    received: dict[str, list[bytes]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def keep(self, content: bytes, arrival: Arrival) -> None:
        with self._lock:
            self.received.setdefault(arrival.sop_instance_uid, []).append(content)


@contextmanager
def recording_pacs(port: int = 0, *, tls: Tls | None = None) -> Iterator[Pacs]:
    pacs = Pacs()
    listener = Listener(ae_title="PACS", host="127.0.0.1", port=port, calling_ae_titles=("SEDAS",), tls=tls)
    contexts: Mapping[str, Sequence[str]] = dict.fromkeys((*IODS, CTImageStorage), scp.UNCOMPRESSED)
    with scp.listening(listener, gathered(pacs.keep), contexts) as actual:
        pacs.port = actual
        yield pacs


@dataclass(frozen=True)
class Node:
    """A running `sedas-node run`."""

    config: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    engine: Engine

    def jobs(self) -> list[dict[str, Any]]:
        return _rows("jobs", "--json", "--config", str(self.config))

    def audit(self) -> list[dict[str, Any]]:
        return _rows("audit", "--json", "--config", str(self.config))

    def settled(self, count: int = 1, timeout_s: float = 180.0) -> list[dict[str, Any]]:
        """The jobs, once that many have ended and none is on its way."""

        def ended() -> bool:
            every = self.states()
            return len(every) >= count and all(state in SETTLED for state in every)

        wait_for(ended, f"{count} jobs to settle", timeout_s)
        return self.jobs()

    def states(self) -> list[str]:
        """Of every job, read without the command, which costs a second of a core each time it is asked."""
        with self.engine.connect() as connection:
            return list(connection.scalars(text("SELECT state FROM jobs ORDER BY id")))

    def ask(self, *arguments: str) -> str:
        """Run one of the commands that intervene, and give what it prints."""
        command = [sys.executable, "-m", "node", *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, check=True, timeout=60, text=True).stdout

    def sessions(self) -> Sessions:
        return Sessions(self.engine, class_=Session)

    def worker_pid(self) -> int | None:
        """The process of its worker, if one is running."""
        return next(iter(self.children("worker")), None)

    def children(self, command: str) -> list[int]:
        """Its child processes that run `sedas-node COMMAND`."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = [child for thread in threads for child in thread.read_text().split()]
        return [
            int(child)
            for child in children
            if command.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        ]

    def kill(self) -> None:
        """As the kernel or a power cut does: no goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _rows(*arguments: str) -> list[dict[str, Any]]:
    """What a command prints as JSON."""
    command = [sys.executable, "-m", "node", *arguments]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    rows: list[dict[str, Any]] = json.loads(printed)
    return rows


def write_config(
    folder: Path,
    pacs_port: int,
    *,
    ae_title: str = "PACS",
    commitment: bool = False,
    quiet_period_s: float = 2.0,
    database: Database | None = None,
    extra: str = "",
) -> Path:
    """A configuration of a quick node below `folder` that delivers to that port."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.toml"
    path.write_text(
        f"""\
[listener]
host = "127.0.0.1"
port = 0
calling_ae_titles = ["PACS", "STORESCU", "ORTHANC"]
[storage]
folder = "{folder / "state"}"
{_where(database)}
[completion]
quiet_period_s = {quiet_period_s}
[inference]
segmenter = "{QUICK.segmenter}"
backend = "{QUICK.backend}"
[worker]
lease_s = 3.0
poll_s = 0.1
[delivery]
first_retry_s = 0.5
[[delivery.destinations]]
name = "pacs"
ae_title = "{ae_title}"
host = "127.0.0.1"
port = {pacs_port}
commitment = {str(commitment).lower()}
[retention]
minimum_free_bytes = 0
[http]
port = 0
[ticks]
completion_s = 0.2
delivery_s = 0.2
leases_s = 0.5
{extra}
"""
    )
    return path


def _where(database: Database | None) -> str:
    if database is None:
        return ""
    file = f'database_password_file = "{database.password_file}"' if database.password_file else ""
    return f'database_url = "{database.url}"\n{file}'


@contextmanager
def running_node(config: Path, *, with_worker: bool = True) -> Iterator[Node]:
    """`sedas-node run` in a process of its own until the block ends."""
    storage = load(config, {}).storage
    engine = connect(storage.url, storage.database_password_file)
    log = config.with_suffix(".log")
    before = log.stat().st_size if log.exists() else 0
    command = [sys.executable, "-m", "node", "run", "--config", str(config)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, *(["--with-worker"] if with_worker else [])], stderr=output, env=os.environ
        )
    try:
        port = wait_for(lambda: listening_port(log, before), "the node to listen")
        yield Node(config, port, process, log, engine)
    finally:
        engine.dispose()
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def listening_port(log: Path, start: int) -> int:
    for line in log.read_bytes()[start:].decode().splitlines():
        if line.startswith("{") and (entry := json.loads(line))["event"] == "listening":
            return int(entry["port"])
    return 0
