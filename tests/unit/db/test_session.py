"""The database: durable, migrated, constrained."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.models import Base, Instance, Job
from db.session import DatabaseUnusable, Sessions, connect, installation_id, open_database
from db.states import State


def test_the_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    open_database(url)
    with connect(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_sqlite_is_durable(sessions: Sessions) -> None:
    with sessions() as session:
        pragmas = {
            p: session.execute(text(f"PRAGMA {p}")).scalar_one()
            for p in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_an_installation_keeps_its_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    names = set()
    for _ in range(2):
        with open_database(url)() as session:
            names.add(installation_id(session))
    assert len(names) == 1


def test_instants_come_back_in_utc(sessions: Sessions) -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=8)))
    with sessions.begin() as session:
        session.add(_instance(at))
    with sessions() as session:
        received_at = session.query(Instance).one().received_at
    assert received_at == at
    assert received_at.tzinfo is UTC


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


def _job(state: State, now: datetime) -> Job:
    return Job(study_instance_uid="1.2", generation=1, state=state, reason="", created_at=now, changed_at=now)


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
