"""Heads of the audit trail outside the database."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from db import jobs
from db.session import Sessions
from db.tampering import verify
from node.audit_heads import BadHeadFile, export_head, exported_heads
from tests.databases import KEY


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "heads.jsonl"


def _happens(sessions: Sessions, study: str, now: datetime) -> None:
    with sessions.begin() as session:
        jobs.image_arrived(session, study, now=now)


def test_a_head_is_added_when_something_has_happened(sessions: Sessions, file: Path, now: datetime) -> None:
    export_head(sessions, file, now=now)
    export_head(sessions, file, now=now + timedelta(minutes=1))
    _happens(sessions, "1.2", now)
    export_head(sessions, file, now=now + timedelta(minutes=2))
    heads = exported_heads(file)
    assert [(head.row_id, head.at) for head in heads] == [(1, now), (2, now + timedelta(minutes=2))]
    assert verify(sessions, KEY, heads).faults == ()


def test_a_line_that_was_cut_short_is_passed_over(sessions: Sessions, file: Path, now: datetime) -> None:
    export_head(sessions, file, now=now)
    with file.open("a") as lines:
        lines.write('{"at": "2026-')
    _happens(sessions, "1.2", now)
    export_head(sessions, file, now=now)
    export_head(sessions, file, now=now)
    assert [head.row_id for head in exported_heads(file)] == [1, 2]


def test_a_line_of_something_else_is_refused(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"row": 1}\n')
    with pytest.raises(BadHeadFile, match="line 1"):
        exported_heads(file)


def test_without_a_file_there_is_no_head(file: Path) -> None:
    assert exported_heads(file) == ()
