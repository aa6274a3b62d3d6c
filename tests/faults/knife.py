"""Runs a command of the node in this process, and kills it by SIGKILL at a step of its work.

`python -m tests.faults.knife FOLDER run --config …`: the folder holds the kills that are still to come, in their order (the file
`plan/00.3` names a step, which kills at its third passing in a process), those that came (`done/`), every step that
was passed (`steps-…`), and how long the stand-in for an analysis takes (`analysis_s`). Child processes of the node run under the same knife. Nothing in the node knows of it.

Steps are named
- `commit SITE`: a transaction that wrote has been committed; the site is our innermost function outside `db/`,
- `fsync SITE`: a file or a folder is on the disk,
- `sent COMMAND`: the first bytes of a DIMSE message are with the kernel,
- `before SITE`, `after SITE`: that function is called, has returned; the sites are in `tests/faults/points.py`.
"""

import functools
import importlib
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pynetdicom.transport import AssociationSocket
from sqlalchemy import Engine, event

from db.session import Session
from node import app
from tests.faults.points import CALLS
from tests.faults.stand_in import StandIn

OURS = ("node.", "inference.", "dicom_out.")
BELOW = ("dicom_out.durable:", "node.logs:", "node.spool:SpoolFile")  # they do it for somebody
COMMANDS = {
    0x0001: "C-STORE-RQ", 0x8001: "C-STORE-RSP", 0x0130: "N-ACTION-RQ", 0x8130: "N-ACTION-RSP",
    0x0100: "N-EVENT-REPORT-RQ", 0x8100: "N-EVENT-REPORT-RSP",
}  # fmt: skip
"""Command Field (0000,0100), PS3.7 E.1."""
FIELDS = {
    b"\x00\x00\x00\x01\x02\x00\x00\x00" + number.to_bytes(2, "little"): f"sent {name}"
    for number, name in COMMANDS.items()
}
WRITES = ("INSERT", "UPDATE", "DELETE")
RETENTION_S = 0.5  # between two looks for images that may go


class Knife:
    """Counts how often each step was passed in this process and strikes when the next kill of the plan is due."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._feared = {step.read_text() for step in (folder / "plan").iterdir()}
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def passed(self, step: str) -> None:
        with self._lock:
            self._passed[step] += 1
            if self._passed[step] == 1:
                with (self._folder / f"steps-{os.getpid()}").open("a") as steps:
                    steps.write(f"{step}\n")
            if step in self._feared:
                self._strike(step)

    def _strike(self, step: str) -> None:
        plan = sorted((self._folder / "plan").iterdir())
        try:
            if not plan or plan[0].read_text() != step or self._passed[step] < int(plan[0].suffix[1:]):
                return
            plan[0].rename(self._folder / "done" / plan[0].name)
        except FileNotFoundError:  # another process of the node was first
            return
        os.kill(os.getpid(), signal.SIGKILL)


def site() -> str:
    """Our innermost function on the stack that is not below another one of ours."""
    frame = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        name = f"{module}:{frame.f_code.co_qualname.partition('.<locals>')[0]}"
        if module.startswith(OURS) and not name.startswith(BELOW):
            return name
        frame = frame.f_back  # type: ignore[assignment]
    return "nobody"


def watch_commits(knife: Knife) -> None:
    wrote = threading.local()

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        wrote.now = getattr(wrote, "now", False) or statement.lstrip().upper().startswith(WRITES)

    def committed(session: Session) -> None:
        if session.in_nested_transaction():  # a savepoint, which is on no disk
            return
        wrote.now, did = False, getattr(wrote, "now", False)
        if did:
            knife.passed(f"commit {site()}")

    def rolled_back(_session: object) -> None:
        wrote.now = False

    event.listen(Engine, "before_cursor_execute", executed)
    event.listen(Session, "after_commit", committed)
    event.listen(Session, "after_rollback", rolled_back)


def watch_files(knife: Knife) -> None:
    fsync = os.fsync

    def synced(fd: Any) -> None:
        fsync(fd)
        knife.passed(f"fsync {site()}")

    os.fsync = synced


def watch_wire(knife: Knife) -> None:
    send = AssociationSocket.send

    def sent(self: AssociationSocket, bytestream: bytes) -> None:
        send(self, bytestream)
        for field, step in FIELDS.items():
            if field in bytestream[:200]:
                knife.passed(step)

    AssociationSocket.send = sent  # type: ignore[method-assign]


def watch_calls(knife: Knife) -> None:
    for step in CALLS:
        when, _, place = step.partition(" ")
        module, _, name = place.partition(":")
        holder: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            holder = getattr(holder, part)
        setattr(holder, last, _watched(getattr(holder, last), step, when, knife))


def _watched(call: Callable[..., Any], step: str, when: str, knife: Knife) -> Callable[..., Any]:
    @functools.wraps(call)
    def watched(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            knife.passed(step)
        value = call(*arguments, **options)
        if when == "after":
            knife.passed(step)
        return value

    return watched


def arm_children(folder: Path) -> None:
    """What the node starts as `python -m node …` runs under the knife too."""
    plain = subprocess.Popen

    class Armed(plain):  # type: ignore[misc,valid-type]
        def __init__(self, command: list[str], *arguments: Any, **options: Any) -> None:
            if command[1:3] == ["-m", "node"]:
                command = [*command[:2], "tests.faults.knife", str(folder), *command[3:]]
            super().__init__(command, *arguments, **options)

    subprocess.Popen = Armed  # type: ignore[misc,assignment]


def main() -> None:
    folder, arguments = Path(sys.argv[1]), sys.argv[2:]
    knife = Knife(folder)
    watch_commits(knife)
    watch_files(knife)
    watch_wire(knife)
    watch_calls(knife)
    arm_children(folder)
    stand_in = functools.partial(StandIn, float((folder / "analysis_s").read_text()))
    setattr(app, "SpawnedChild", stand_in)  # noqa: B010 - the name is the module's own import
    app.RETENTION_S = RETENTION_S
    sys.argv = ["sedas-node", *arguments]
    runpy.run_module("node", run_name="__main__")


if __name__ == "__main__":
    main()
