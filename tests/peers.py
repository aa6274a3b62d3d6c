"""Foreign programs that tests talk to: DCMTK and Orthanc, found or skipped, started and stopped."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


OWN_BIN = str(Path(sys.executable).parent)
FOREIGN_PATH = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != OWN_BIN)
"""Without our environment's folder, where pynetdicom puts programs with DCMTK's names."""


def require(program: str) -> str:
    """The path of a peer program; the test is skipped without it, or fails where peers are required."""
    found = shutil.which(program, path=FOREIGN_PATH)
    if found is None:
        reason = f"{program} is not installed; `make peers` installs it"
        if os.environ.get("SEDAS_REQUIRE_PEERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def wait_for(condition: Callable[[], T | None], what: str, timeout_s: float = 60.0) -> T:
    """The first true value of `condition`, asked again and again."""
    pause, until = threading.Event(), time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > until:
            pytest.fail(f"waited {timeout_s:g} s for {what}")
        pause.wait(0.05)
    return value


def ends_within(connection: socket.socket, seconds: float) -> bool:
    """Does the other side close it, whatever it may still say?"""
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def free_port() -> int:
    """A port for a foreign program that cannot ask for one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def storescu(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run DCMTK's storescu."""
    return run_peer("storescu", *arguments)


def run_peer(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; TCP_NODELAY keeps Nagle's algorithm from delaying every image of DCMTK's."""
    command = [require(program), *map(str, arguments)]
    environment = os.environ | {"TCP_NODELAY": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc: PACS, destination and sender."""

    dicom_port: int
    http_port: int

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, body: object) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", content, method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def knows(self, name: str, ae_title: str, port: int) -> None:
        """Make a modality on this machine known, to send to."""
        body = json.dumps({"AET": ae_title, "Host": "127.0.0.1", "Port": port}).encode()
        url = f"http://127.0.0.1:{self.http_port}/modalities/{name}"
        urllib.request.urlopen(urllib.request.Request(url, body, method="PUT"), timeout=30).close()

    def download(self, instance: str) -> bytes:
        url = f"http://127.0.0.1:{self.http_port}/instances/{instance}/file"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def orthanc(
    folder: Path,
    plugins: Sequence[Path] = (),
    *,
    dicom_port: int | None = None,
    node_port: int = 11112,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Orthanc]:
    """An Orthanc with the AE title ORTHANC, empty at first, its files below `folder`.

    It knows SEDAS at `node_port`, so that it can report to it on storage commitment.
    """
    program = require("Orthanc")
    peer = Orthanc(dicom_port or free_port(), free_port())
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "orthanc.json"
    configuration.write_text(
        json.dumps(
            {
                "Name": "test",
                "StorageDirectory": str(folder / "storage"),
                "IndexDirectory": str(folder / "storage"),
                "Plugins": [str(plugin) for plugin in plugins],
                "DicomAet": "ORTHANC",
                "DicomPort": peer.dicom_port,
                "HttpPort": peer.http_port,
                "DicomModalities": {"sedas": ["SEDAS", "127.0.0.1", node_port]},
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
            }
        )
    )
    with (folder / "orthanc.log").open("wb") as output:
        process = subprocess.Popen(
            [program, str(configuration)],
            stdout=output,
            stderr=output,
            env=os.environ | (environment or {}),
        )
        try:
            wait_for(lambda: _answers(peer), "Orthanc to answer")
            yield peer
        finally:
            process.terminate()
            process.wait(30)


def _answers(peer: Orthanc) -> bool:
    try:
        return bool(peer.get("/system"))
    except (urllib.error.URLError, ConnectionError):
        return False
