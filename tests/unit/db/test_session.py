"""The database: durable, migrated, constrained."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import orm, text
from sqlalchemy.exc import IntegrityError

from db.models import Base, Delivery, Instance, Job, ObjectRole
from db.session import DatabaseUnusable, Sessions, connect, installation_id, migrate, open_database
from db.states import State


def test_the_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'db.sqlite'}"
    open_database(url)
    with connect(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_with_deliveries_on_their_way_takes_the_newest_schema(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'db.sqlite'}")
    migrate(engine, "0002")
    with engine.begin() as connection:
        for statement in WITH_A_DELIVERY.split(";"):
            connection.exec_driver_sql(statement)
    migrate(engine)
    with orm.Session(engine) as session:
        [delivery] = session.query(Delivery)
        assert delivery.opened_at == datetime(2026, 1, 2, tzinfo=UTC)
        assert delivery.object.role is ObjectRole.RESULT
        session.get_one(Job, 1).state = State.COMMITTING
        session.commit()
        with pytest.raises(IntegrityError, match="ck_jobs_withdrawal_has_reason"):
            session.execute(text("UPDATE jobs SET state = 'WITHDRAWN'"))
        session.rollback()
        with pytest.raises(IntegrityError, match="ck_jobs_refusal_has_reason"):
            session.execute(text("UPDATE jobs SET state = 'FAILED'"))
        session.rollback()
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            session.execute(text("DELETE FROM jobs"))


WITH_A_DELIVERY = """
INSERT INTO jobs (id, study_instance_uid, generation, state, reason, attempts, created_at, completed_at, changed_at)
    VALUES (1, '1.2', 1, 'DELIVERING', '', 1, '2026-01-01', '2026-01-02', '2026-01-02');
INSERT INTO results (job_id, digest, threshold, slice_policy, lung_volume_ml, classifier, classifier_version,
        classifier_digest, segmenter, segmenter_version, segmenter_digest, seconds)
    VALUES (1, 'd', 0.5, 'none', 4000, 'c', '1', 'd', 's', '1', 'd', 1);
INSERT INTO result_objects (sop_instance_uid, job_id, rank, sop_class_uid, path, sha256)
    VALUES ('1.3', 1, 0, '1.2', 'a', 'd');
INSERT INTO deliveries (id, job_id, sop_instance_uid, destination, state, attempts, next_attempt_at, answer)
    VALUES (1, 1, '1.3', 'pacs', 'waiting', 2, '2026-01-03', '')
"""


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
