"""A worker as a child process: started again when it dies, stopped with its parent."""

import logging
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

_STOP_S = 20.0  # for the analysis under way; a killed worker's job goes back to the queue


class WorkerProcess:
    """One `sedas-node worker`; `ensure` is a tick."""

    def __init__(self, arguments: Sequence[str], log_file: Path | None) -> None:
        self._command = [sys.executable, "-m", "node", "worker", *arguments, "--parent", str(os.getpid())]
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._stop_by = math.inf

    def ensure(self) -> None:
        """Start the process if it is not running."""
        if self._stop_by < math.inf:
            return
        if self._process is not None:
            if self._process.poll() is None:
                return
            log.error("worker died", extra={"exit_code": self._process.returncode})
        self._process = self._start()
        log.info("worker started", extra={"pid": self._process.pid})

    def _start(self) -> subprocess.Popen[bytes]:
        if self._log_file is None:
            return subprocess.Popen(self._command)  # noqa: S603 - our own command
        with self._log_file.open("ab") as output:
            return subprocess.Popen(self._command, stdout=output, stderr=output)  # noqa: S603 - likewise

    def ask_to_stop(self) -> None:
        """It has `STOP_S` from the first time that it is asked."""
        if self._stop_by == math.inf:
            self._stop_by = time.monotonic() + _STOP_S
            if self._process is not None:
                self._process.terminate()

    def stop(self) -> None:
        self.ask_to_stop()
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, self._stop_by - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def end_within(seconds: float) -> None:
    """Let this process end by then, whatever still waits: all that was promised is on the disk."""

    def end() -> None:
        log.warning("the stop took too long", extra={"seconds": seconds})
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


@contextmanager
def worker_process(arguments: Sequence[str], log_file: Path | None = None) -> Iterator[WorkerProcess]:
    """A worker while the block runs; it writes to `log_file`, or where we write."""
    process = WorkerProcess(arguments, log_file)
    process.ensure()
    try:
        yield process
    finally:
        process.stop()


def stop_with(parent: int, stop: threading.Event) -> None:
    """Set `stop` once `parent` is gone, so that a killed node leaves no worker behind."""

    def watch() -> None:
        while not stop.wait(1.0):
            if os.getppid() != parent:
                log.warning("the node is gone, the worker stops")
                stop.set()

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def until(stop: threading.Event) -> None:
    """Wait in the main thread for what a signal's handler sets.

    By turns: the kernel may give a signal to any thread, and Python runs the handler in the main one, which nothing
    else would wake (Python, signal: "Signals and threads").
    """
    while not stop.wait(1.0):
        pass
