"""Receiving processes: they accept from one listening socket, so that parallel senders use all cores."""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from config.settings import Settings

log = logging.getLogger(__name__)

READY = b"ready\n"
_STOP_S = 10.0  # for the objects under way


class ReceiverFailed(Exception):
    """A receiving process ended before it could accept; its log says why."""


class Receivers:
    """So many `sedas-node receive`; `ensure` is a tick."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._listener = listener
        self._settings = _shares(settings)
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * len(self._settings)
        self._stopped = False
        self._lock = threading.Lock()

    def ensure(self) -> None:
        """Start those that do not run. Raises ReceiverFailed."""
        with self._lock:
            for number, process in enumerate(self._processes):
                if self._stopped or (process is not None and process.poll() is None):
                    continue
                if process is not None:
                    log.error("receiver died", extra={"exit_code": process.returncode})
                    _close(process)
                self._processes[number] = self._start(self._settings[number])

    def _start(self, settings: Settings) -> subprocess.Popen[bytes]:
        """It is told the settings on its standard input, which ends when we do, however that may be."""
        shared = self._listener.fileno()
        command = [sys.executable, "-m", "node", "receive", "--listener", str(shared)]
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[shared]
        )
        try:
            _input(process).write(settings.model_dump_json().encode() + b"\n")
            _input(process).flush()
            is_ready = cast("IO[bytes]", process.stdout).readline() == READY
        except BrokenPipeError:
            is_ready = False
        if not is_ready:
            process.kill()
            raise ReceiverFailed(f"a receiving process ended with exit code {process.wait()}")
        log.info("receiver started", extra={"pid": process.pid})
        return process

    def stop(self) -> None:
        """Objects under way are ended, or their associations aborted."""
        with self._lock:
            self._stopped = True
            running = [process for process in self._processes if process is not None]
            for process in running:
                process.terminate()
            for process in running:
                try:
                    process.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                _close(process)


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", process.stdin)


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _shares(settings: Settings) -> list[Settings]:
    """For each process: of the associations that the node takes every one has its part."""
    listener = settings.listener
    count = min(listener.processes, listener.maximum_associations)
    shares = [
        listener.maximum_associations // count + (number < listener.maximum_associations % count)
        for number in range(count)
    ]
    return [
        settings.model_copy(update={"listener": listener.model_copy(update={"maximum_associations": share})})
        for share in shares
    ]


@contextmanager
def receivers(settings: Settings, listener: socket.socket) -> Iterator[Receivers]:
    """Receiving processes while the block runs; all accept when it begins. Raises ReceiverFailed."""
    processes = Receivers(settings, listener)
    try:
        processes.ensure()
        yield processes
    finally:
        processes.stop()


def told_settings() -> Settings:
    """In a receiving process: what the node writes to our standard input."""
    return Settings.model_validate_json(sys.stdin.buffer.readline())


def say_ready() -> None:
    os.write(sys.stdout.fileno(), READY)


def stop_with_node(stop: threading.Event) -> None:
    """Set `stop` when the node is gone, at once: its end closes our standard input."""

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)  # nothing more is written: it returns at the end
        if not stop.is_set():
            log.warning("the node is gone, the receiver stops")
            stop.set()

    threading.Thread(target=watch, name="node watch", daemon=True).start()
