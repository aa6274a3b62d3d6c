"""Where an analysis runs. Start at `SpawnedChild`: a process that can be given up when it hangs or dies.

Imports no torch: only the process that analyses does.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Protocol

from inference.annotation_files import File
from inference.findings import Analysis, InputQuality
from inference.volume import VolumeRefused

OnStage = Callable[[str], None]
Describe = Callable[[BaseException], str]
_START_S = 600.0  # for a child to load its models
_END_S = 10.0  # for one that could not
_OURS = frozenset({"config", "inference"})  # packages whose errors say only what may be said


@dataclass(frozen=True)
class Request:
    """One series to analyse, with the objects of its study that mark slices or regions."""

    slices: tuple[Path, ...]
    annotations: tuple[File, ...] = ()
    findings: tuple[InputQuality, ...] = ()  # what is known of the study before a file is read
    candidate: bool = True  # is it scored too, where one is configured?


class Executor(Protocol):
    def __call__(self, request: Request, /, *, on_stage: OnStage) -> Analysis:
        """`on_stage` hears `load`, `segment`, `select`, `classify` and perhaps `candidate` as they begin."""


class Unfinished(Exception):
    """The analysis came to no end of its own; the message quotes nothing from a header."""


class TookTooLong(Unfinished):
    """It was stopped at its time limit."""


class ChildDied(Unfinished):
    """Its process is gone: killed for its memory, or crashed in a library."""


class Abandoned(Unfinished):
    """It was given up by `abandon`."""


class Failed(Unfinished):
    """It raised what nobody expected."""

    def __init__(self, description: str, kind: type[Exception]) -> None:
        super().__init__(description, kind)
        self.kind = kind

    def __str__(self) -> str:
        return str(self.args[0])


class SpawnedChild:
    """Analyses in a child process that keeps its models warm.

    After anything but a result or a refusal the child is replaced: nobody knows in what state its libraries are.
    """

    def __init__(self, build: Callable[[], Executor], describe: Describe, *, time_limit_s: float) -> None:
        """`build` and `describe` run in the child and must be picklable. Raises what `build` raises.

        The limit is that of one analysis, once the models are loaded.
        """
        self._build = build
        self._describe = describe
        self._time_limit_s = time_limit_s
        self._abandoned = False
        self._busy: _Child | None = None
        self._child: _Child | None = self._started()

    def __call__(self, request: Request, *, on_stage: OnStage) -> Analysis:
        child, self._child = self._child or self._started(), None
        self._busy = child
        try:
            answer = self._answer(child, request, on_stage)
            if isinstance(answer, Analysis | VolumeRefused):
                self._child = child
        finally:
            self._busy = None
            if self._child is None:
                child.kill()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _answer(self, child: "_Child", request: Request, on_stage: OnStage) -> Analysis | Exception:
        try:
            if not self._abandoned:
                child.pipe.send(request)
                return child.answer(self._time_limit_s, on_stage)
        except (ChildDied, ConnectionError):
            if not self._abandoned:
                raise
        raise Abandoned("the worker stops")

    def abandon(self) -> None:
        """From another thread: the analysis under way, and any later one, raises Abandoned."""
        self._abandoned = True
        if (busy := self._busy) is not None:
            busy.end()

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _started(self) -> "_Child":
        child = _Child(self._build, self._describe)
        try:
            child.wait_until_ready()
        except Exception:
            child.kill()
            raise
        return child


class _Child:
    """The process and our end of its pipe: it says when it is ready, then of each request its stages and the answer."""

    def __init__(self, build: Callable[[], Executor], describe: Describe) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, build, describe), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        said = self._hear(_START_S, time.monotonic() + _START_S, "start")
        if isinstance(said, Exception):
            self._process.join(_END_S)  # it ends by itself, and tidies up
            raise said

    def answer(self, limit_s: float, on_stage: OnStage) -> Analysis | Exception:
        deadline = time.monotonic() + limit_s
        said = self._hear(limit_s, deadline, "start")
        while isinstance(said, str):
            on_stage(said)
            said = self._hear(limit_s, deadline, said)
        return said

    def _hear(self, limit_s: float, deadline: float, stage: str) -> str | Analysis | Exception:
        if not self.pipe.poll(max(0.0, deadline - time.monotonic())):
            raise TookTooLong(f"the analysis took longer than {limit_s:g} s, it was in stage {stage}")
        try:
            said: str | Analysis | Exception = self.pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
            raise ChildDied(f"the analysing process died in stage {stage}, exit code {code}") from None
        return said

    def end(self) -> None:
        """Whoever waits for its answer hears that it died."""
        self._process.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _serve(pipe: connection.Connection, build: Callable[[], Executor], describe: Describe) -> None:
    """The child: builds its models, then answers one request after the other until its parent is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # sent to the whole group; the parent decides about us
    watch_parent()
    try:
        execute = build()
    except Exception as error:  # noqa: BLE001 - the parent raises it
        pipe.send(_tellable(error, describe))
        return
    pipe.send("ready")
    while True:
        request: Request = pipe.recv()
        try:
            pipe.send(execute(request, on_stage=pipe.send))
        except Exception as error:  # noqa: BLE001 - likewise
            pipe.send(_tellable(error, describe))


def _tellable(error: Exception, describe: Describe) -> Exception:
    """Our own errors as they are; of others what may be said, and the builtin kind that decides about a retry."""
    if type(error).__module__.split(".")[0] in _OURS:
        return error
    kind = next((k for k in (MemoryError, OSError) if isinstance(error, k)), Exception)
    return Failed(describe(error), kind)


def watch_parent() -> None:
    """End this process with the one that started it, whatever it is doing then."""
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
