"""The units of systemd/: what systemd says of them, and their command lines run as it would run them."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from db.states import SETTLED
from tests.confined import Unit, make_user
from tests.conftest import ROOT
from tests.nodes import recording_pacs, write_config
from tests.peers import require, wait_for

NODE, WORKER = "sedas-node.service", "sedas-node-worker@.service"
CUDA = "worker-cuda.conf"

pytestmark = pytest.mark.peers


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Copies whose program is there."""
    for name in (NODE, WORKER):
        text = (ROOT / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/sedas-node/.venv", sys.prefix))
    return tmp_path


def _analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [require("systemd-analyze"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", [NODE, WORKER])
@pytest.mark.parametrize("with_cuda", [False, True])
def test_systemd_finds_no_fault(units: Path, name: str, with_cuda: bool) -> None:
    if with_cuda:
        (units / f"{name}.d").mkdir()
        (units / f"{name}.d" / "cuda.conf").write_text((ROOT / "systemd" / CUDA).read_text())
    found = _analyze("verify", "--man=no", units / name)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [NODE, WORKER])
def test_exposure_is_at_most_two(units: Path, name: str) -> None:
    rated = _analyze("security", "--offline=true", "--no-pager", "--threshold=20", units / name)
    assert rated.returncode == 0, rated.stdout
    (level,) = re.findall(r"Overall exposure level for .*: ([\d.]+)", rated.stdout)
    assert float(level) <= 2.0


@dataclass(frozen=True)
class Service:
    process: subprocess.Popen[bytes]
    log: Path

    def port(self) -> int:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return int([line["port"] for line in lines if line["event"] == "listening"][-1])

    def stop(self) -> float:
        """As systemd does: SIGTERM to the main process; the seconds that it took to end."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log.read_text()
        return time.monotonic() - begun


@contextmanager
def started(unit: Unit, log: Path) -> Iterator[Service]:
    """The unit once it has said that it is ready."""
    name = f"sedas-node-test-{os.getpid()}-{time.monotonic_ns()}"
    said: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{name}")
        heard.settimeout(0.2)
        process, ended = unit.start(log, f"@{name}"), threading.Event()
        listening = threading.Thread(target=_listen, args=(heard, said, ended))
        listening.start()
        try:
            wait_for(lambda: b"READY=1" in said or process.poll() is not None, "readiness", 120)
            assert process.poll() is None, log.read_text()
            yield Service(process, log)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            ended.set()
            listening.join()
    assert b"WATCHDOG=1" in said
    assert b"STOPPING=1" in said


def _listen(heard: socket.socket, said: list[bytes], ended: threading.Event) -> None:
    """Until the process has ended and all that it said is heard."""
    while True:
        try:
            said.append(heard.recv(100))
        except TimeoutError:
            if ended.is_set():
                return


def _states(folder: Path) -> list[str]:
    with closing(sqlite3.connect(f"{folder}/sedas-node.sqlite", timeout=30)) as database:
        return [state for (state,) in database.execute("SELECT state FROM jobs ORDER BY id")]


def _send(port: int, files: list[Path]) -> None:
    ae = AE(ae_title="PACS")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    assoc = ae.associate("127.0.0.1", port, ae_title="SEDAS")
    assert [assoc.send_c_store(dcmread(file)).get("Status") for file in files] == [0] * len(files)
    assoc.release()


def _require_namespaces() -> None:
    require("setpriv")
    mounted = ["unshare", "--mount", "sh", "-c", "mount -t overlay overlay -o lowerdir=/etc:/opt /etc"]
    if os.geteuid() != 0 or subprocess.run(mounted, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root, with mount namespaces, may play systemd")


def test_both_command_lines_run_confined_and_a_stop_in_the_midst_loses_nothing(
    tmp_path: Path, phantom_study: list[Path]
) -> None:
    _require_namespaces()
    etc, state = tmp_path / "etc", tmp_path / "state"
    state.mkdir()
    etc.mkdir(mode=0o755)
    os.chown(state, *make_user(etc))
    with recording_pacs() as pacs:
        config = write_config(etc / "sedas-node", pacs.port)
        text = config.read_text().replace('backend = "eager"', 'backend = "openvino"')
        config.write_text(text.replace(str(etc / "sedas-node" / "state"), "/var/lib/sedas-node"))
        node, worker = (Unit(name, etc, state) for name in (NODE, WORKER))
        logs = tmp_path / "node.log", tmp_path / "worker.log"
        with started(node, logs[0]) as listening, started(worker, logs[1]) as working:
            status = Path(f"/proc/{working.process.pid}/status").read_text()
            assert re.findall(r"^(?:Seccomp|NoNewPrivs):\t(\d)", status, re.MULTILINE) == ["1", "2"]
            assert not re.search(r"^Cap(?:Eff|Bnd):\t0*[1-9a-f]", status, re.MULTILINE)
            assert "Uid:\t0" not in status
            _send(listening.port(), phantom_study)
            wait_for(lambda: "RUNNING" in _states(state), "the job to run")
            listening.stop()
            working.stop()
        with started(node, logs[0]) as listening, started(worker, logs[1]) as working:
            wait_for(lambda: all(s in SETTLED for s in _states(state)), "the job to settle", 120)
            assert _states(state) == ["DONE"]
            working.stop()
            listening.stop()
    assert pacs.received
    assert all(len(set(contents)) == 1 for contents in pacs.received.values())
