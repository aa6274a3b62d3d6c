"""Logs: one event per line, its facts as fields; JSON unless a person is watching."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import pydicom

_STANDARD = frozenset(vars(logging.makeLogRecord({})))


def start_logging(stream: TextIO = sys.stderr) -> None:
    """Log to `stream`. Foreign libraries are quiet: their warnings can quote what a patient's header holds."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Words() if stream.isatty() else _Json())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for library in ("pynetdicom", "pydicom", "apscheduler", "alembic", "highdicom"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


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
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Words(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{k}={v}" for k, v in _facts(record).items())
        line = f"{_at(record)[11:19]} {record.levelname:7} {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
