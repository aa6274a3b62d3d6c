"""The newest row of the audit trail, written down outside the database from time to time, so that cutting the tail shows.

The file holds one JSON object a line, and lines are only ever added.
"""

import json
import logging
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from db import audit
from db.session import Sessions
from db.tampering import Head
from dicom_out.durable import make_folder

log = logging.getLogger(__name__)


class BadHeadFile(Exception):
    """A line of the file is none of ours."""


def export_head(sessions: Sessions, file: Path, *, now: datetime) -> None:
    """Add the newest row to the file, durably, and to the log; nothing when it is there already."""
    with sessions() as session:
        newest = audit.newest_row(session)
    if newest is None or newest == _last(file):
        return
    row_id, hmac = newest
    make_folder(file.parent)
    line = json.dumps({"at": now.isoformat(timespec="milliseconds"), "row": row_id, "hmac": hmac})
    with file.open("a+b") as lines:
        torn = _tail(file)[-1:] not in (b"", b"\n")  # a crash cut the last line short
        lines.write(b"\n" * torn + line.encode("ascii") + b"\n")
        lines.flush()
        os.fsync(lines.fileno())
    log.info("audit head", extra={"row": row_id, "hmac": hmac})


def _last(file: Path) -> tuple[int, str] | None:
    heads = _heads(_tail(file).rpartition(b"\n")[0].rpartition(b"\n")[2], file)
    return (heads[-1].row_id, heads[-1].hmac) if heads else None


def _tail(file: Path) -> bytes:
    """More than its last two lines."""
    if not file.exists():
        return b""
    with file.open("rb") as lines:
        lines.seek(max(0, file.stat().st_size - 1000))
        return lines.read()


def exported_heads(file: Path) -> Sequence[Head]:
    """Every head in the file, oldest first; raises BadHeadFile."""
    return _heads(file.read_bytes(), file) if file.exists() else ()


def _heads(content: bytes, file: Path) -> Sequence[Head]:
    """A line that a crash cut short says nothing."""
    lines = content.decode("utf-8", errors="replace").splitlines()
    return [_read(line, f"{file}, line {n}") for n, line in enumerate(lines, 1) if line.endswith("}")]


def _read(line: str, where: str) -> Head:
    try:
        row = json.loads(line)
        return Head(datetime.fromisoformat(row["at"]), int(row["row"]), str(row["hmac"]))
    except (ValueError, TypeError, KeyError) as error:
        raise BadHeadFile(f"{where} is not a head of the audit trail") from error
