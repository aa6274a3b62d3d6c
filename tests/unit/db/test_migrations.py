"""From every schema that a site may have to the newest: nothing lost, everything guarded."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, MetaData, orm, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from db import audit, jobs
from db.chain import BEGINS, Content
from db.models import Base, Delivery, Job, ObjectRole
from db.session import migrate
from db.states import State
from db.tampering import verify
from tests.databases import KEY, Database

REVISIONS = sorted(path.name[:4] for path in Path(audit.__file__).parent.glob("migrations/versions/0*.py"))
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

Row = Mapping[str, Any]

JOB = {
    "generation": 1, "series_instance_uid": "1.2.9", "reason": "", "attempts": 1, "created_at": AT,
    "released_at": AT, "completed_at": AT, "changed_at": AT,
}  # fmt: skip
TRUTH = {
    "study_instance_uid": "1.2.1", "confirmed_by": "histology", "confirmed_on": "2026-02-03", "size_mm": 31.5,
    "lobe": "RUL", "hard": False,
}  # fmt: skip
DELIVERY = {"job_id": 1, "destination": "pacs", "attempts": 2, "opened_at": AT, "next_attempt_at": AT}

ROWS: dict[str, Sequence[Row]] = {
    "installation": [{"id": 1, "uuid": "d9c4"}],
    "instances": [
        {
            "sop_instance_uid": "1.2.3", "sop_class_uid": "1.2", "study_instance_uid": "1.2.1", "sha256": "ab",
            "series_instance_uid": "1.2.9", "size_bytes": 7, "path": "1.2.1/ab.dcm", "calling_ae_title": "PACS",
            "received_at": AT,
        }
    ],
    "quarantine": [
        {
            "sha256": "cd", "size_bytes": 7, "sop_class_uid": "1.2", "sop_instance_uid": "1.2.4", "reason": "no",
            "calling_ae_title": "PACS", "times": 2, "received_at": AT, "last_received_at": AT,
        }
    ],
    "former_revisions": [
        {
            "instance_id": 1, "sha256": "aa", "size_bytes": 6, "path": "1.2.1/aa.dcm", "calling_ae_title": "PACS",
            "received_at": AT, "replaced_at": AT,
        }
    ],
    "refusals": [{"status": 0xA700, "times": 3}],
    "jobs": [
        {**JOB, "study_instance_uid": "1.2.1", "state": "DELIVERING"},
        {**JOB, "study_instance_uid": "1.2.2", "state": "FAILED", "reason": "no lungs"},
        {**JOB, "study_instance_uid": "1.2.5", "state": "RUNNING", "lease_owner": "w", "lease_until": AT},
    ],
    "job_inputs": [{"job_id": 1, "instance_id": 1, "sha256": "ab"}],
    "results": [
        {
            "job_id": 1, "digest": "d", "label": "nodule", "probability": 0.625, "spread": 0.125, "flip": 0.25,
            "calibration": "Platt", "threshold": 0.5, "slice_policy": "annotated", "lung_volume_ml": 4000.5,
            "classifier": "c", "classifier_version": "1", "classifier_digest": "e", "segmenter": "s",
            "segmenter_version": "2", "segmenter_digest": "f", "seconds": 1.5, "age_years": 63, "sex": "F",
            "acquired_month": "2026-01", "manufacturer": "ACME", "scanner_model": "One", "kernel": "B70",
            "slice_thickness_mm": 5.0, "site": "There",
        }
    ],
    "candidate_scores": [
        {
            "job_id": 1, "classifier": "k", "classifier_version": "2", "classifier_digest": "g",
            "threshold": 0.5, "probability": 0.75, "failure": "",
        }
    ],
    "truths": [
        {**TRUTH, "label": "IPN", "imported_at": AT, "replaced_at": AT},
        {**TRUTH, "label": "PIMA", "imported_at": AT},
    ],
    "targets": [{"job_id": 1, "rank": 0, "x_mm": 1.0, "y_mm": 2.0, "z_mm": 3.0, "size_mm": 4.0}],
    "slice_scores": [
        {"job_id": 1, "rank": 0, "sop_instance_uid": "1.2.3", "instance_number": 4, "probability": 0.625}
    ],
    "quality_findings": [{"job_id": 1, "rank": 0, "code": "gap", "text": "one gap", "abstained": True}],
    "result_objects": [
        {
            "sop_instance_uid": "1.3", "job_id": 1, "role": "result", "rank": 0, "sop_class_uid": "1.2",
            "path": "a", "sha256": "d",
        }
    ],
    "deliveries": [{**DELIVERY, "sop_instance_uid": "1.3", "state": "waiting", "answer": "busy"}],
    "commitments": [
        {"transaction_uid": "1.4", "destination": "pacs", "state": "asked", "asked_at": AT, "answer": ""}
    ],
    "commitment_items": [{"transaction_uid": "1.4", "delivery_id": 1}],
}  # fmt: skip
"""A row or more of every table but those of the audit trail, of which a schema takes the columns that it has."""


def _trail(*, chained: bool) -> Iterator[dict[str, Any]]:
    """Three rows of the audit trail, the first of which begins the chain."""
    previous = ""
    rows = [(1, None, None, BEGINS, None, ""), (2, 1, "1.2.1", "opened", "RECEIVING", "generation 1"),
        (3, 1, "1.2.1", "study complete", "QUEUED", "")]  # fmt: skip
    for number, job, study, event, after, detail in rows:
        before = "RECEIVING" if after == "QUEUED" else None
        row = Content(number, AT, job, study, event, before, after, detail, previous)
        named = {**row._asdict(), "at": AT}
        if not chained and job is not None:
            yield named
        elif chained:
            previous = KEY.of_row(row)
            yield {**named, "hmac": previous}


def _fill(connection: Connection, revision: str) -> MetaData:
    """Put rows into every table of that schema; gives the schema."""
    chained = revision >= "0004"
    schema = MetaData()
    schema.reflect(connection)
    trail = list(_trail(chained=chained))
    for table in schema.sorted_tables:
        if table.name in ("alembic_version", "audit_head", "audit_export"):
            continue
        for row in trail if table.name == "audit" else ROWS[table.name]:
            known = {column: value for column, value in row.items() if column in table.columns}
            connection.execute(table.insert().values(known))
    if chained:
        newest = trail[-1]["hmac"]
        head = {"key_name": KEY.name, "row_id": 3, "newest_hmac": newest, "head_hmac": KEY.of_head(3, newest)}
        connection.execute(schema.tables["audit_head"].update().values(head))
    return schema


def _rows(engine: Engine, schema: MetaData) -> dict[str, list[Row]]:
    with engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
            for table in schema.sorted_tables
            if table.name != "alembic_version"
        }


@pytest.fixture(params=REVISIONS)
def migrated(request: pytest.FixtureRequest, empty_database: Database) -> Engine:
    """A database that had rows in a schema of that revision, and has the newest now, with the same rows."""
    engine = empty_database.engine()
    migrate(engine, request.param)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM installation")  # the newest schema comes with a name
        schema = _fill(connection, request.param)
    before = _rows(engine, schema)
    assert all(before.values())
    migrate(engine)
    assert _rows(engine, schema) == before
    return engine


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    with database.engine().connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_database_that_has_come_the_whole_way_is_like_a_new_one(migrated: Engine) -> None:
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    for constraint, change in REFUSED.items():
        with pytest.raises(IntegrityError, match=constraint), migrated.begin() as connection:
            connection.execute(text(change))
    with orm.Session(migrated) as session:
        [delivery] = session.query(Delivery)
        assert delivery.opened_at == AT
        assert delivery.object.role is ObjectRole.RESULT
        session.get_one(Job, 1).state = State.COMMITTING
        session.commit()


REFUSED = {
    "ck_jobs_state": "UPDATE jobs SET state = 'NOWHERE' WHERE id = 1",
    "ck_jobs_withdrawal_has_reason": "UPDATE jobs SET state = 'WITHDRAWN' WHERE id = 1",
    "ck_jobs_refusal_has_reason": "UPDATE jobs SET state = 'FAILED' WHERE id = 1",
    "ck_jobs_running_is_leased": "UPDATE jobs SET lease_owner = NULL WHERE id = 3",
    "(?i)unique": "UPDATE jobs SET study_instance_uid = '1.2.1' WHERE id = 3",
    "ck_deliveries_state": "UPDATE deliveries SET state = 'lost'",
    "ck_result_objects_role": "UPDATE result_objects SET role = 'extra'",
    "ck_results_probability": "UPDATE results SET probability = 2",
    "ck_results_label_with_number": "UPDATE results SET label = NULL",
    "ck_candidate_scores_number_or_failure": "INSERT INTO candidate_scores SELECT job_id, 'k', '1', 'g', 0.5, NULL, '' FROM results",
    "ck_truths_label": "INSERT INTO truths (study_instance_uid, label, confirmed_by, imported_at) SELECT '1.2.7', 'unsure', '', changed_at FROM jobs",
    "(?i)unique.*truth": "INSERT INTO truths (study_instance_uid, label, confirmed_by, imported_at) SELECT '1.2.7', 'IPN', '', changed_at FROM jobs",
    "ck_audit_head_only_one": "INSERT INTO audit_head SELECT 2, key_name, 0, '', '' FROM audit_head",
    "(?i)foreign key": "DELETE FROM jobs WHERE id = 1",
}
"""What no job, delivery, result or trail can be, by the constraint that says so."""


def test_its_trail_is_whole_and_goes_on(migrated: Engine, empty_database: Database, now: datetime) -> None:
    sessions = empty_database.begun()
    with sessions.begin() as session:
        assert jobs.image_arrived(session, "1.2.8", now=now).id == len(ROWS["jobs"]) + 1
        assert jobs.image_arrived(session, "1.2.2", now=now).generation == 2
    assert verify(sessions, KEY).faults == ()
    for change in ("UPDATE audit SET detail = ''", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="never changed"), migrated.begin() as connection:
            connection.exec_driver_sql(change)
