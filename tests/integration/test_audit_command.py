"""`sedas-node audit`, and `sedas-node audit verify`, as a person types them."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from config.load import load
from config.settings import Settings
from db import jobs
from db.session import Sessions
from node import app
from node.__main__ import cli
from node.audit_heads import export_head
from tests.nodes import write_config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, 104)


@pytest.fixture
def settings(config: Path) -> Settings:
    return load(config, {})


@pytest.fixture
def trail(settings: Settings, now: datetime) -> Sessions:
    """A trail of three rows whose head is exported."""
    sessions = app.open_sessions(settings)
    for study in ("1.2.1", "1.2.2"):
        with sessions.begin() as session:
            jobs.image_arrived(session, study, now=now)
    export_head(sessions, settings.audit_head_file, now=now)
    return sessions


def _audit(config: Path, *arguments: str) -> tuple[int, list[str]]:
    ended = CliRunner().invoke(cli, ["audit", *arguments, "--config", str(config)])
    return ended.exit_code, ended.stdout.splitlines()


@pytest.mark.usefixtures("trail")
def test_the_trail_is_printed_whole_or_of_a_study(config: Path) -> None:
    code, lines = _audit(config)
    assert (code, len(lines)) == (0, 3)
    assert "chain begins" in lines[0]
    code, [line] = _audit(config, "1.2.2")
    assert line.startswith("job 2  2026-11-24 09:30:00.000  RECEIVING   opened")


@pytest.mark.usefixtures("trail")
def test_an_honest_trail_verifies(config: Path) -> None:
    assert _audit(config, "verify") == (0, ["audit trail: 3 rows, 1 exported heads: whole and unchanged"])


def test_a_changed_row_is_named_and_the_exit_code_says_so(config: Path, trail: Sessions) -> None:
    with trail.begin() as session:
        session.execute(text("DROP TRIGGER audit_keeps_on_UPDATE"))
        session.execute(text("UPDATE audit SET detail = 'generation 7' WHERE id = 2"))
    assert _audit(config, "verify") == (
        1,
        [
            "row 2: changed, or written without the key",
            "audit trail: 3 rows, 1 exported heads: 1 faults",
        ],
    )


def test_a_program_gets_json(config: Path, trail: Sessions) -> None:
    assert json.loads("".join(_audit(config, "verify", "--json")[1])) == {
        "rows": 3,
        "exported_heads": 1,
        "faults": [],
    }
    with trail.begin() as session:
        session.execute(text("DROP TRIGGER audit_keeps_on_DELETE"))
        session.execute(text("DELETE FROM audit WHERE id > 1"))
    code, lines = _audit(config, "verify", "--json")
    assert (code, json.loads("".join(lines))["faults"]) == (1, [{"first": 2, "last": 3, "what": "missing"}])


def test_verifying_changes_nothing(config: Path, settings: Settings, trail: Sessions) -> None:
    before = settings.audit_head_file.read_bytes()
    with trail.begin() as session:
        session.execute(text("DROP TRIGGER audit_keeps_on_DELETE"))
        session.execute(text("DELETE FROM audit"))
        session.execute(
            text("UPDATE audit_head SET key_name = '', row_id = 0, newest_hmac = '', head_hmac = ''")
        )
    for _ in range(2):
        code, lines = _audit(config, "verify")
        assert (code, lines[0]) == (1, "rows 1 to 3: missing")
    assert settings.audit_head_file.read_bytes() == before


def test_a_node_notes_its_start_and_its_stop(config: Path, settings: Settings) -> None:
    with app.running(settings):
        pass
    code, lines = _audit(config)
    assert [line.split()[3].rstrip(":") for line in lines[1:]] == ["started", "stopped"]
    assert _audit(config, "verify")[0] == code == 0
