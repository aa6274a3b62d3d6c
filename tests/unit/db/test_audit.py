"""The audit trail: chained as it is written, by whoever writes; and whatever is done to it is found."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db import audit, jobs
from db.chain import Key
from db.models import AuditEvent, AuditHead
from db.session import Session, Sessions, migrate
from db.states import Event
from db.tampering import Fault, Head, verify
from tests.databases import BEGUN, KEY, ON_SQLITE, Database, drop_trigger

EDIT = "UPDATE audit SET {0} WHERE id = 3"
REMOVE = "DELETE FROM audit WHERE id = {0}"
MOVE = "UPDATE audit SET id = {1} WHERE id = {0}"
COLUMNS = "job_id, study_instance_uid, at, event, state_before, state_after, detail, previous_hmac, hmac"
COPY = "INSERT INTO audit (id, {2}) SELECT {1}, {2} FROM audit WHERE id = {0}"
SET_HEAD = "UPDATE audit_head SET row_id = {0}, newest_hmac = '{1}', head_hmac = '{2}'"

CHANGED = "changed, or written without the key"
MISSING = "missing"
BEYOND = "after the newest row that was written"
WITHOUT = "without an HMAC"


@pytest.fixture
def trail(sessions: Sessions, now: datetime) -> Sessions:
    """The beginning and six rows: two jobs opened, complete and claimed."""
    for study in ("1.2.1", "1.2.2"):
        with sessions.begin() as session:
            job = jobs.image_arrived(session, study, now=now)
            jobs.advance(session, job, Event.STUDY_COMPLETE, now=now, completed_at=now, detail="12 slices")
            jobs.claim(session, worker="w", lease=timedelta(minutes=1), now=now)
    return sessions


UNBOUND = {
    "sqlite": ["PRAGMA ignore_check_constraints = ON"],
    "postgresql": [
        f"ALTER TABLE audit DROP CONSTRAINT IF EXISTS ck_audit_{column}"
        for column in ("state_before", "state_after")
    ],
}


def _tamper(sessions: Sessions, *statements: str) -> None:
    """As somebody who may do anything with the database and has no key."""
    with sessions.begin() as session:
        dialect = session.get_bind().dialect.name
        for change in ("UPDATE", "DELETE"):
            session.execute(text(drop_trigger(change, dialect)))
        for statement in UNBOUND[dialect]:
            session.execute(text(statement))
        for statement in statements:
            session.execute(text(statement))


def _faults(sessions: Sessions, *exported: Head, key: Key = KEY) -> list[tuple[int, int, str]]:
    return [(f.first, f.last, f.what) for f in verify(sessions, key, exported).faults]


def _newest(sessions: Sessions, at: datetime) -> Head:
    with sessions() as session:
        newest = audit.newest_row(session)
    assert newest is not None
    return Head(at, *newest)


def test_an_honest_trail_is_whole(trail: Sessions, now: datetime) -> None:
    verdict = verify(trail, KEY, [_newest(trail, now)])
    assert (verdict.rows, verdict.faults) == (7, ())


def test_rows_name_their_study_and_have_no_gaps(trail: Sessions) -> None:
    with trail() as session:
        rows = audit.trail(session)
    assert [(row.id, row.study_instance_uid) for row in rows] == [
        (1, None),
        *((n, "1.2.1") for n in (2, 3, 4)),
        *((n, "1.2.2") for n in (5, 6, 7)),
    ]


def test_what_is_rolled_back_leaves_nothing(trail: Sessions, now: datetime) -> None:
    session = trail()
    jobs.image_arrived(session, "1.2.3", now=now)
    session.rollback()
    jobs.image_arrived(session, "1.2.4", now=now)
    session.commit()
    session.close()
    with trail() as session:
        assert [row.study_instance_uid for row in audit.trail(session)][7:] == ["1.2.4"]
    assert _faults(trail) == []


@pytest.mark.parametrize(
    "change",
    [
        "at = '2026-11-24 09:31:00.000000'",
        "at = 'yesterday'",
        "job_id = 2",
        "job_id = NULL",
        "study_instance_uid = '1.2.2'",
        "event = 'delivered'",
        "state_before = 'RUNNING'",
        "state_before = 'NOWHERE'",
        "state_after = 'REJECTED'",
        "detail = '13 slices'",
        "previous_hmac = ''",
        "hmac = 'abc'",
    ],
)
def test_an_edited_row_is_named(trail: Sessions, change: str) -> None:
    _tamper(trail, EDIT.format(change))
    assert _faults(trail) == [(3, 3, CHANGED)]


@ON_SQLITE
def test_a_text_that_became_bytes_is_named(trail: Sessions) -> None:
    _tamper(trail, EDIT.format("detail = CAST(detail AS BLOB)"))
    assert _faults(trail) == [(3, 3, CHANGED)]


def test_a_row_that_lost_its_hmac_is_named(trail: Sessions) -> None:
    _tamper(trail, "UPDATE audit SET hmac = NULL WHERE id = 3")
    assert _faults(trail) == [(3, 3, WITHOUT)]


def test_a_row_with_another_number_is_named(trail: Sessions) -> None:
    _tamper(trail, "UPDATE audit SET id = 17 WHERE id = 7")
    assert (17, 17, CHANGED) in _faults(trail)


@pytest.mark.parametrize("row", [1, 2, 4, 6])
def test_a_deleted_row_is_named(trail: Sessions, row: int) -> None:
    _tamper(trail, REMOVE.format(row))
    assert _faults(trail) == [(row, row, MISSING)]


def test_rows_deleted_and_the_others_moved_up_are_named(trail: Sessions) -> None:
    _tamper(trail, "DELETE FROM audit WHERE id = 3", "UPDATE audit SET id = id - 1 WHERE id > 3")
    assert _faults(trail) == [(3, 6, CHANGED), (7, 7, MISSING)]


def test_an_inserted_row_is_named(trail: Sessions) -> None:
    _tamper(
        trail,
        "UPDATE audit SET id = -id WHERE id > 3",
        "UPDATE audit SET id = 1 - id WHERE id < 0",
        COPY.format(3, 4, COLUMNS),
    )
    assert _faults(trail) == [(4, 8, CHANGED), (8, 8, BEYOND)]


def test_a_row_added_at_the_end_is_named(trail: Sessions) -> None:
    _tamper(trail, COPY.format(7, 8, COLUMNS))
    assert _faults(trail) == [(8, 8, CHANGED), (8, 8, BEYOND)]


def test_swapped_rows_are_named(trail: Sessions) -> None:
    _tamper(trail, *(MOVE.format(*move) for move in ((3, 99), (5, 3), (99, 5))))
    assert _faults(trail) == [(3, 3, CHANGED), (5, 5, CHANGED)]


def test_a_tail_that_is_cut_is_named(trail: Sessions) -> None:
    _tamper(trail, "DELETE FROM audit WHERE id > 4")
    assert _faults(trail) == [(5, 7, MISSING)]


def test_a_tail_that_is_cut_with_its_head_is_seen(trail: Sessions) -> None:
    _tamper(
        trail,
        "DELETE FROM audit WHERE id > 4",
        "UPDATE audit_head SET row_id = 4, newest_hmac = (SELECT hmac FROM audit WHERE id = 4)",
    )
    assert _faults(trail) == [(4, 4, "the record of which row is the newest was changed")]


def test_a_tail_that_is_cut_to_an_earlier_copy_is_named_by_the_exported_head(
    sessions: Sessions, now: datetime
) -> None:
    with sessions.begin() as session:
        jobs.image_arrived(session, "1.2.1", now=now)
    with sessions() as session:
        was = session.execute(text("SELECT row_id, newest_hmac, head_hmac FROM audit_head")).one()
    with sessions.begin() as session:
        jobs.image_arrived(session, "1.2.2", now=now)
    exported = _newest(sessions, now)
    _tamper(
        sessions,
        "DELETE FROM audit WHERE id > 2",
        SET_HEAD.format(*was),
    )
    assert _faults(sessions) == []  # nothing in the database shows it
    assert _faults(sessions, exported) == [(3, 3, MISSING)]


def test_a_front_that_is_cut_is_named(trail: Sessions) -> None:
    _tamper(trail, "DELETE FROM audit WHERE id < 5")
    assert _faults(trail) == [(1, 4, MISSING)]


def test_everything_gone_is_named(trail: Sessions, now: datetime) -> None:
    exported = _newest(trail, now)
    _tamper(trail, "DELETE FROM audit")
    assert _faults(trail) == [(1, 7, MISSING)]
    _tamper(trail, "UPDATE audit_head SET key_name = '', row_id = 0, newest_hmac = '', head_hmac = ''")
    assert _faults(trail, exported) == [(1, 7, MISSING)]


def test_a_trail_passed_off_as_older_than_the_chain_is_named(trail: Sessions) -> None:
    _tamper(trail, "UPDATE audit SET hmac = NULL, previous_hmac = NULL WHERE id < 5")
    assert _faults(trail) == [(1, 4, WITHOUT)]
    _tamper(trail, "UPDATE audit SET hmac = NULL, previous_hmac = NULL")
    assert _faults(trail) == [(1, 7, WITHOUT)]


def test_a_trail_written_anew_with_another_key_is_named(
    trail: Sessions, database: Database, now: datetime
) -> None:
    exported, forged = _newest(trail, now), Key(bytes(32))
    _write_anew(trail, forged)
    assert _faults(trail, key=forged) == []
    assert _faults(trail, exported) == [
        (1, 7, CHANGED),
        (7, 7, f"the trail is chained with another key, {forged.name}"),
    ]
    with pytest.raises(audit.OtherAuditKey):
        audit.begin(database.sessions(), KEY, now=now)
    assert _faults(trail, replace(exported, row_id=4), key=forged) == [
        (4, 4, f"not the row that was exported as the newest at {now:%Y-%m-%d %H:%M:%S}")
    ]


def _write_anew(sessions: Sessions, key: Key) -> None:
    """The whole trail, with one row of another content, as a forger with a key of his own would."""
    _tamper(sessions, "UPDATE audit SET detail = 'nothing to see' WHERE id = 3")
    with sessions.begin() as session:
        previous = ""
        for row in session.query(AuditEvent).order_by(AuditEvent.id):
            row.previous_hmac = previous
            session.flush()
            [kept] = session.execute(audit.stored().where(AuditEvent.id == row.id))
            row.hmac = previous = key.of_row(audit.content_of(kept))
        head = session.get_one(AuditHead, 1)
        head.key_name, head.newest_hmac = key.name, previous
        head.head_hmac = key.of_head(head.row_id, previous)


@pytest.mark.parametrize("change", ["UPDATE audit SET detail = ''", "DELETE FROM audit"])
def test_the_database_refuses_to_change_a_row(trail: Sessions, change: str) -> None:
    with pytest.raises(DBAPIError, match="never changed"), trail.begin() as session:
        session.execute(text(change))


def test_without_the_key_nothing_is_written(empty_database: Database, now: datetime) -> None:
    sessions = empty_database.sessions()
    with pytest.raises(audit.NoAuditKey), sessions.begin() as session:
        jobs.image_arrived(session, "1.2", now=now)
    assert not audit.has_begun(sessions)


EARLIER = """
INSERT INTO jobs (study_instance_uid, generation, state, reason, attempts, created_at, changed_at)
    VALUES ('1.2.1', 1, 'QUEUED', '', 0, '2026-01-01', '2026-01-01');
INSERT INTO audit (id, at, job_id, event, state_before, state_after, detail)
    VALUES (3, '2026-01-01 00:00:00.000000', 1, 'opened', NULL, 'RECEIVING', ''),
        (4, '2026-01-01 00:00:01.000000', 1, 'study complete', 'RECEIVING', 'QUEUED', '');
"""


@pytest.fixture
def older(empty_database: Database, now: datetime) -> Sessions:
    """A database that had a trail before there was a chain."""
    engine = empty_database.engine()
    migrate(engine, "0003")
    with engine.begin() as connection:
        for statement in EARLIER.strip().removesuffix(";").split(";"):
            connection.exec_driver_sql(statement)
    assert _faults(empty_database.sessions()) == [(3, 4, WITHOUT)]
    sessions = empty_database.begun()
    with sessions.begin() as session:
        jobs.image_arrived(session, "1.2.2", now=now)
    return sessions


def test_rows_from_before_the_chain_are_sealed_when_it_begins(older: Sessions) -> None:
    assert _faults(older) == []
    with older() as session:
        rows = audit.trail(session)
        assert [row.event for row in audit.trail(session, "1.2.1")] == ["opened", "study complete"]
    assert [(row.id, row.event) for row in rows[2:]] == [(5, "chain begins"), (6, "opened")]
    assert rows[2].at == BEGUN
    assert rows[2].detail.startswith("after 2 rows without")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET detail = 'x' WHERE id = 4",
        "DELETE FROM audit WHERE id = 3",
        COPY.format(3, 2, COLUMNS),
        "UPDATE audit SET id = 2 WHERE id = 3",
    ],
)
def test_a_change_before_the_chain_is_found(older: Sessions, change: str) -> None:
    _tamper(older, change)
    [(first, last, what)] = _faults(older)
    assert (first in (2, 3, 4), last, what) == (True, 4, "changed, added or removed among them")


def test_many_writers_make_one_chain(database: Database, now: datetime) -> None:
    writers = [database.begun() for _ in range(4)]
    _in_parallel(writers, lambda s, study: jobs.image_arrived(s, study, now=now))
    verdict = verify(database.sessions(), KEY)
    assert (verdict.rows, verdict.faults) == (41, ())


def _in_parallel(every: list[Sessions], act: Callable[[Session, str], object]) -> None:
    def write(writer: int, sessions: Sessions) -> None:
        for n in range(10):
            with sessions.begin() as session:
                act(session, f"1.{writer}.{n}")

    threads = [threading.Thread(target=write, args=one) for one in enumerate(every)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_fault_says_its_rows() -> None:
    assert str(Fault(7, 7, MISSING)) == "row 7: missing"
    assert str(Fault(7, 9, MISSING)) == "rows 7 to 9: missing"
