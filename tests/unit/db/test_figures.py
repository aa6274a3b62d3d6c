"""The figures of a node, also of a large one."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, text

from db import refusals
from db.figures import Backlog, figures
from db.models import (
    Commitment,
    CommitmentState,
    Delivery,
    DeliveryState,
    Instance,
    Job,
    ObjectRole,
    Result,
    ResultObject,
)
from db.session import Sessions
from db.states import State

MANY = 2000


def _fill(sessions: Sessions, *, now: datetime) -> None:
    """Studies of one image each, half of them analysed, the last two with something on its way."""
    with sessions.begin() as session:
        numbers = range(1, MANY + 1)
        job_rows = [
            {
                "id": n,
                "study_instance_uid": f"1.{n}",
                "generation": 1,
                "state": State.DONE if n % 2 else State.QUEUED,
                "reason": "",
                "attempts": 1,
                "created_at": now,
                "changed_at": now - timedelta(seconds=n),
            }
            for n in numbers
        ]
        session.execute(insert(Job), job_rows)
        images = [
            {
                "sop_instance_uid": f"1.{n}.1",
                "sop_class_uid": "1",
                "study_instance_uid": f"1.{n}",
                "series_instance_uid": "1",
                "sha256": "d",
                "size_bytes": 100,
                "path": f"{n}",
                "calling_ae_title": "PACS",
                "received_at": now,
                "deleted_at": now if n > 10 else None,
            }
            for n in numbers
        ]
        session.execute(insert(Instance), images)
        found = [
            {
                "job_id": n, "digest": "d", "calibration": "", "threshold": 0.5, "slice_policy": "none",
                "lung_volume_ml": 4000.0, "classifier": "c", "classifier_version": "1", "classifier_digest": "d",
                "segmenter": "s", "segmenter_version": "1", "segmenter_digest": "d", "seconds": 7.0 if n > 10 else 70.0,
            }
            for n in numbers if n % 2
        ]  # fmt: skip
        session.execute(insert(Result), found)
        objects = [
            {
                "sop_instance_uid": f"2.{n}", "job_id": n, "role": ObjectRole.RESULT, "rank": 0,
                "sop_class_uid": "1", "path": "a", "sha256": "d",
            }
            for n in numbers if n % 2
        ]  # fmt: skip
        session.execute(insert(ResultObject), objects)
        sent = [
            {
                "job_id": n, "sop_instance_uid": f"2.{n}", "destination": "pacs", "attempts": 1, "answer": "",
                "state": DeliveryState.SENT if n > 3 else DeliveryState.WAITING,
                "opened_at": now - timedelta(seconds=n), "next_attempt_at": now,
            }
            for n in numbers if n % 2
        ]  # fmt: skip
        session.execute(insert(Delivery), sent)
        session.add(
            Commitment(transaction_uid="3", destination="pacs", state=CommitmentState.ASKED, asked_at=now)
        )


def test_the_figures_are_those_of_the_rows(sessions: Sessions, now: datetime) -> None:
    _fill(sessions, now=now)
    for status in (0xC000, 0xA700, 0xC000):
        refusals.count(sessions, status)
    found = figures(sessions, now=now)
    assert found.jobs == {**dict.fromkeys(State, 0), State.DONE: 1000, State.QUEUED: 1000}
    assert found.oldest_queued_at == now - timedelta(seconds=MANY)
    assert found.images_received == MANY
    assert found.images_refused == {0xA700: 1, 0xC000: 2}
    assert found.images_on_disk_bytes == 1000
    assert (found.analyses.count, found.analyses.seconds) == (1000, 995 * 7.0 + 5 * 70.0)
    assert [found.analyses.within[bound] for bound in (5.0, 10.0, 120.0)] == [0, 995, 1000]
    assert found.backlog == {"pacs": Backlog(2, now - timedelta(seconds=3))}
    assert found.open_commitments == {"pacs": 1}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # as its planner explains
def test_nothing_that_grows_is_read_row_by_row(sessions: Sessions, now: datetime) -> None:
    _fill(sessions, now=now)
    for query in (
        "SELECT state, count(*) FROM jobs GROUP BY state",
        "SELECT min(changed_at) FROM jobs WHERE state = 'QUEUED'",
        "SELECT max(id) FROM instances",
        "SELECT sum(size_bytes) FROM instances WHERE deleted_at IS NULL",
        "SELECT count(*), sum(seconds) FROM results",
        "SELECT count(job_id) FROM candidate_scores WHERE probability IS NULL",
        "SELECT destination, count(*) FROM deliveries WHERE state IN ('waiting', 'unconfirmed') GROUP BY destination",
        "SELECT destination, count(*) FROM commitments WHERE state = 'asked' GROUP BY destination",
    ):
        with sessions() as session:
            steps = [row.detail for row in session.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
        scans = [s for s in steps if s.startswith("SCAN") and "COVERING" not in s]
        assert scans == [], (query, steps)


def test_figures_keep_no_writer_waiting(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as writer:
        writer.execute(text("UPDATE installation SET uuid = 'x'"))
        assert figures(sessions, now=now).images_received == 0
