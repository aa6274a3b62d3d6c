"""The database: durable, migrated, constrained."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db import audit, quarantine
from db.models import Instance, Job, Quarantined
from db.session import (
    DatabaseAway,
    DatabaseUnusable,
    Sessions,
    installation_id,
    open_database,
    translated,
)
from db.states import State
from db.tampering import verify
from tests.databases import KEY, ON_POSTGRESQL, ON_SQLITE, Database
from tests.postgres import Server


@ON_SQLITE
def test_sqlite_is_durable(sessions: Sessions) -> None:
    with sessions() as session:
        pragmas = {
            p: session.execute(text(f"PRAGMA {p}")).scalar_one()
            for p in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_an_installation_keeps_its_name(database: Database) -> None:
    names = set()
    for _ in range(2):
        with database.sessions()() as session:
            names.add(installation_id(session))
    assert len(names) == 1


def test_programs_that_start_together_make_one_database(empty_database: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        opened = list(threads.map(lambda _: empty_database.begun(), range(4)))
    names = set()
    for sessions in opened:
        with sessions() as session:
            names.add(installation_id(session))
    assert len(names) == 1
    assert verify(opened[0], KEY).faults == ()


def test_instants_come_back_in_utc(sessions: Sessions) -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=8)))
    with sessions.begin() as session:
        session.add(_instance(at))
    with sessions() as session:
        received_at = session.query(Instance).one().received_at
    assert received_at == at
    assert received_at.tzinfo is UTC


def test_a_nul_that_a_peer_said_is_replaced_and_the_trail_stays_whole(
    sessions: Sessions, now: datetime
) -> None:
    with sessions.begin() as session:
        quarantine.note(session, _refused("1.2\0.3", now))
        audit.note(session, None, "association rejected", now=now, detail="127.0.0.1: A\0B called SEDAS")
    with sessions() as session:
        assert [refused.sop_instance_uid for refused in quarantine.every(session)] == ["1.2\ufffd.3"]
    assert verify(sessions, KEY).faults == ()


@ON_POSTGRESQL
def test_a_transaction_sees_what_others_commit_whatever_the_server_prefers(
    database: Database, postgres: Server
) -> None:
    postgres.tell(f"ALTER DATABASE {database.name} SET default_transaction_isolation = 'serializable'")
    with database.sessions()() as session:
        assert session.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"


def test_a_rejected_job_has_a_reason(sessions: Sessions, now: datetime) -> None:
    with pytest.raises(IntegrityError, match="refusal_has_reason"), sessions.begin() as session:
        session.add(_job(State.REJECTED, now))


def test_a_running_job_has_a_lease(sessions: Sessions, now: datetime) -> None:
    with pytest.raises(IntegrityError, match="running_is_leased"), sessions.begin() as session:
        session.add(_job(State.RUNNING, now))


def test_an_unusable_database_is_said_without_its_password() -> None:
    with pytest.raises(DatabaseUnusable) as refusal:
        open_database("sqlite:////nowhere/at/all/db.sqlite")
    assert "unable to open database file" in str(refusal.value)


def test_a_server_that_is_away_is_said_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatabaseAway) as refusal:
        open_database(f"postgresql://sedas@/sedas?host={tmp_path}")
    assert "\n" not in str(refusal.value)
    assert "No such file" in str(refusal.value)


@ON_POSTGRESQL
def test_a_wrong_password_is_refused_and_not_told(database: Database, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("of another\n")
    with pytest.raises(DatabaseUnusable, match="password authentication failed") as refusal:
        open_database(database.url, wrong)
    assert "of another" not in str(refusal.value)


def test_a_refusal_quotes_no_row(sessions: Sessions, now: datetime) -> None:
    for _ in range(2):
        with contextlib.suppress(DatabaseUnusable), translated(), sessions.begin() as session:
            session.add(_instance(now))
    with pytest.raises(DatabaseUnusable) as refusal, translated(), sessions.begin() as session:
        session.add(_instance(now))
    assert "1.2.3" not in str(refusal.value)


def _job(state: State, now: datetime) -> Job:
    return Job(study_instance_uid="1.2", generation=1, state=state, reason="", created_at=now, changed_at=now)


def _refused(sop_instance_uid: str, at: datetime) -> Quarantined:
    return Quarantined(
        sha256="0",
        size_bytes=1,
        sop_class_uid="1.2",
        sop_instance_uid=sop_instance_uid,
        calling_ae_title="PACS",
        reason="no UID",
        times=1,
        received_at=at,
        last_received_at=at,
    )


def _instance(at: datetime) -> Instance:
    return Instance(
        sop_instance_uid="1.2.3",
        sop_class_uid="1.2",
        study_instance_uid="1.2",
        series_instance_uid="1.2",
        sha256="0",
        size_bytes=1,
        path="a",
        calling_ae_title="PACS",
        received_at=at,
    )
