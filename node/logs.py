"""Logs: one event per line, its facts as fields; JSON unless a person is watching."""

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pydicom

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

log = logging.getLogger(__name__)

_OURS = frozenset({"node", "inference", "dicom_out", "db", "config"})
_STANDARD = frozenset(vars(logging.makeLogRecord({})))


def start_logging(stream: TextIO = sys.stderr) -> None:
    """Log to `stream`. Foreign libraries are quiet: their warnings can quote what a patient's header holds."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Words() if stream.isatty() else _Json())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for library in ("pynetdicom", "pydicom", "apscheduler", "alembic", "highdicom", "numexpr", "py.warnings"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def log_uncaught() -> None:
    """What ends the process or one of its threads is an event in the log too, without the text of others."""

    def of_thread(gone: threading.ExceptHookArgs) -> None:
        _note_uncaught(gone.exc_value, gone.thread.name if gone.thread else "")

    def unraisable(gone: "UnraisableHookArgs") -> None:
        _note_uncaught(gone.exc_value, threading.current_thread().name)

    sys.excepthook = lambda _kind, error, _trace: _note_uncaught(error, "main")
    threading.excepthook = of_thread
    sys.unraisablehook = unraisable


def _note_uncaught(error: BaseException | None, thread: str) -> None:
    if error is not None and not isinstance(error, SystemExit | KeyboardInterrupt):
        log.critical("uncaught error", extra={"in_thread": thread, "error": blame(error)})


def blame(error: BaseException) -> str:
    """What an unexpected error is and where it arose; its text too if the error is one of our own.

    The text of others may quote a header, and stays out of logs and rows.
    """
    if type(error).__module__.split(".")[0] in _OURS:
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    ours = [f for f in frames if Path(f.filename).parent.name in _OURS]
    called = (
        f", from {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours and ours[-1] != frames[-1] else ""
    )
    return f"{type(error).__name__}{where}{called}"


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {k: v for k, v in vars(record).items() if k not in _STANDARD and k not in {"message", "asctime"}}


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": _at(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= _facts(record)
        return json.dumps(line, default=str)


class _Words(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{k}={v}" for k, v in _facts(record).items())
        return f"{_at(record)[11:19]} {record.levelname:7} {record.getMessage()} {facts}".rstrip()
