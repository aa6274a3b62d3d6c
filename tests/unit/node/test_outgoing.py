"""Deliveries: each object has its own progress, and the job follows the last one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from db import audit, deliveries, jobs
from db.models import Job
from db.session import Session, Sessions
from db.states import Event, State
from dicom_out.finding import Finding
from dicom_out.outcome import Outcome, SendResult
from node.inspection import withhold
from node.interventions import CannotIntervene, release, retry
from node.outgoing import call_overdue, park_unknown
from tests.outgoing import SETTINGS, Scripted, delivering, ledger, send, state_of

FAULT = Finding("b", "VerificationFlag", "VERIFIED", "UNVERIFIED")


@pytest.fixture
def job(sessions: Sessions, now: datetime) -> int:
    """A job with two objects in the outbox, on their way to `pacs` and `archive`."""
    return delivering(sessions, now, "pacs", "archive")


def fit(_session: Session, _job: Job) -> tuple[Finding, ...]:
    return ()


def faulty(_session: Session, _job: Job) -> tuple[Finding, ...]:
    return (FAULT,)


def test_the_job_is_done_when_the_last_destination_has_everything(
    sessions: Sessions, job: int, now: datetime
) -> None:
    send(sessions, "pacs", Scripted(), now)
    assert state_of(sessions, job) is State.DELIVERING
    send(sessions, "archive", Scripted(), now)
    assert state_of(sessions, job) is State.DONE


def test_what_was_sent_is_not_sent_again(sessions: Sessions, job: int, now: datetime) -> None:
    pacs = Scripted({"b": Outcome.TRY_AGAIN})
    send(sessions, "pacs", pacs, now)
    pacs.outcomes.clear()
    send(sessions, "pacs", pacs, now + timedelta(seconds=14))
    assert pacs.sent == ["a", "b"]
    send(sessions, "pacs", pacs, now + timedelta(seconds=30))
    assert pacs.sent == ["a", "b", "b"]
    with sessions() as session:
        every = [d for d in deliveries.of_job(session, session.get_one(Job, job)) if d.destination == "pacs"]
    assert [(d.state, d.attempts) for d in every] == [("sent", 1), ("sent", 2)]


def test_a_refusal_parks_the_object_and_fails_the_job_with_the_answer(
    sessions: Sessions, now: datetime
) -> None:
    job = delivering(sessions, now, "pacs")
    send(sessions, "pacs", Scripted({"a": Outcome.REFUSED}), now)
    with sessions() as session:
        failed = session.get_one(Job, job)
    assert (failed.state, failed.reason) == (State.FAILED, "1 objects refused: pacs: because")


def test_a_retry_sends_only_what_was_refused(sessions: Sessions, now: datetime) -> None:
    job = delivering(sessions, now, "pacs")
    pacs = Scripted({"a": Outcome.REFUSED})
    send(sessions, "pacs", pacs, now)
    with sessions.begin() as session:
        retry(session, session.get_one(Job, job), fit, now=now)
    pacs.outcomes.clear()
    send(sessions, "pacs", pacs, now)
    assert pacs.sent == ["a", "b", "a"]
    assert state_of(sessions, job) is State.DONE


def test_held_results_leave_when_they_are_released(sessions: Sessions, now: datetime) -> None:
    job = delivering(sessions, now, held=True)
    pacs = Scripted()
    send(sessions, "pacs", pacs, now)
    assert pacs.sent == []
    with sessions.begin() as session:
        release(session, session.get_one(Job, job), fit, ["pacs"], now=now)
    send(sessions, "pacs", pacs, now)
    assert pacs.sent == ["a", "b"]
    assert state_of(sessions, job) is State.DONE


def test_what_is_under_way_is_neither_retried_nor_released(
    sessions: Sessions, job: int, now: datetime
) -> None:
    with sessions.begin() as session:
        under_way = session.get_one(Job, job)
        with pytest.raises(CannotIntervene, match="DELIVERING; only FAILED and REJECTED"):
            retry(session, under_way, fit, now=now)
        with pytest.raises(CannotIntervene, match="DELIVERING; only HELD"):
            release(session, under_way, fit, ["pacs"], now=now)


def test_a_rejected_study_is_looked_at_again_unless_a_newer_generation_took_over(
    sessions: Sessions, now: datetime
) -> None:
    with sessions.begin() as session:
        rejected = jobs.image_arrived(session, "1.2", now=now)
        jobs.advance(session, rejected, Event.NOT_ELIGIBLE, now=now, reason="a test")
        retry(session, rejected, fit, now=now)
        assert rejected.state is State.RECEIVING
        jobs.advance(session, rejected, Event.NOT_ELIGIBLE, now=now, reason="a test")
        jobs.image_arrived(session, "1.2", now=now)
        with pytest.raises(CannotIntervene, match="given way to generation 2"):
            retry(session, rejected, fit, now=now)


def test_what_waits_for_a_destination_that_is_gone_waits_for_a_person(
    sessions: Sessions, job: int, now: datetime
) -> None:
    send(sessions, "pacs", Scripted(), now)
    park_unknown(sessions, ["pacs"], now=now)
    with sessions() as session:
        failed = session.get_one(Job, job)
    assert failed.state is State.FAILED
    assert "archive: this destination is not configured" in failed.reason


def test_nothing_is_released_to_nowhere(sessions: Sessions, now: datetime) -> None:
    job = delivering(sessions, now, held=True)
    with sessions.begin() as session, pytest.raises(CannotIntervene, match="nowhere to go"):
        release(session, session.get_one(Job, job), fit, [], now=now)
    assert state_of(sessions, job) is State.HELD


def test_of_a_faulty_object_nothing_of_its_job_is_sent(sessions: Sessions, job: int, now: datetime) -> None:
    with sessions.begin() as session:
        withhold(session, session.get_one(Job, job), [FAULT], now=now)
    pacs = Scripted()
    send(sessions, "pacs", pacs, now)
    assert pacs.sent == []
    with sessions() as session:
        failed = session.get_one(Job, job)
        answers = {d.sop_instance_uid: d.answer for d in deliveries.of_job(session, failed)}
    assert failed.state is State.FAILED
    assert (
        failed.reason == "not sent, object b fails the check: VerificationFlag: VERIFIED, expected UNVERIFIED"
    )
    assert answers == {
        "a": "withheld with the faulty object b",
        "b": "VerificationFlag: VERIFIED, expected UNVERIFIED",
    }


def test_a_retry_and_a_release_check_again_and_let_nothing_faulty_go(
    sessions: Sessions, job: int, now: datetime
) -> None:
    with sessions.begin() as session:
        withhold(session, session.get_one(Job, job), [FAULT], now=now)
        with pytest.raises(CannotIntervene, match="object b fails the check"):
            retry(session, session.get_one(Job, job), faulty, now=now)
    pacs = Scripted()
    send(sessions, "pacs", pacs, now)
    assert (pacs.sent, state_of(sessions, job)) == ([], State.FAILED)
    with sessions.begin() as session:
        retry(session, session.get_one(Job, job), fit, now=now)
    send(sessions, "pacs", pacs, now)
    assert pacs.sent == ["a", "b"]


def test_held_results_that_are_faulty_stay_held(sessions: Sessions, now: datetime) -> None:
    job = delivering(sessions, now, held=True)
    with sessions.begin() as session, pytest.raises(CannotIntervene, match="object b fails the check"):
        release(session, session.get_one(Job, job), faulty, ["pacs"], now=now)
    assert state_of(sessions, job) is State.HELD


def test_an_attempt_counts_before_the_wire_is_touched(sessions: Sessions, now: datetime) -> None:
    job = delivering(sessions, now, "pacs")

    class Dies(Scripted):
        def send(self, files: Sequence[Path]) -> list[SendResult]:
            raise ConnectionError(f"{len(files)} files")

    with pytest.raises(ConnectionError):
        send(sessions, "pacs", Dies(), now)
    with sessions() as session:
        assert [d.attempts for d in deliveries.of_job(session, session.get_one(Job, job))] == [1, 1]
    assert set(ledger(sessions, job).values()) == {"waiting"}


@pytest.mark.usefixtures("job")
def test_what_is_long_on_its_way_is_called_overdue_once(sessions: Sessions, now: datetime) -> None:
    rules = SETTINGS.delivery
    send(sessions, "pacs", Scripted({"a": Outcome.TRY_AGAIN}), now)
    for hours in (3, 5, 6):
        call_overdue(sessions, rules, now=now + timedelta(hours=hours))
    with sessions() as session:
        said = [e.detail for e, _ in audit.trail(session) if e.event == "overdue"]
    assert [line.split(" since")[0] for line in said] == ["archive: 2 objects", "pacs: 1 objects"]
    assert said[1].endswith(": because")


def test_only_a_report_is_sent_as_another_class(sessions: Sessions, now: datetime) -> None:
    job = delivering(sessions, now, "pacs")
    send(sessions, "pacs", Scripted({"a": Outcome.CLASS_REFUSED}), now)
    assert ledger(sessions, job) == {"a": "parked", "b": "sent"}
    assert state_of(sessions, job) is State.FAILED
