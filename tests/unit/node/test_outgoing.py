"""Deliveries: each object has its own progress, and the job follows the last one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from config.settings import Delivery as Rules
from db import deliveries, jobs
from db.models import DeliveryState, Job, Result, ResultObject
from db.session import Session, Sessions
from db.states import Event, State
from dicom_out.finding import Finding
from dicom_out.scu import Outcome, SendResult
from node.inspection import withhold
from node.interventions import CannotIntervene, release, retry
from node.outgoing import park_unknown, send_due

RULES = Rules(first_retry_s=30)
OUTBOX = Path("outbox")
FAULT = Finding("b", "VerificationFlag", "VERIFIED", "UNVERIFIED")


@dataclass
class Scripted:
    """A destination that answers what it is told to."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    def send(self, files: Sequence[Path]) -> list[SendResult]:
        self.sent += [file.stem for file in files]
        return [SendResult(self.outcomes.get(file.stem, Outcome.STORED), "because") for file in files]


@pytest.fixture
def job(sessions: Sessions, now: datetime) -> int:
    """A job with two objects in the outbox, on their way to `pacs` and `archive`."""
    return _delivering(sessions, now, "pacs", "archive")


def _delivering(sessions: Sessions, now: datetime, *destinations: str, held: bool = False) -> int:
    with sessions.begin() as session:
        job = jobs.image_arrived(session, "1.2", now=now)
        jobs.advance(session, job, Event.STUDY_COMPLETE, now=now)
        jobs.claim(session, worker="w", lease=timedelta(seconds=60), now=now)
        result = Result(
            job_id=job.id, digest="d", threshold=0.5, slice_policy="none", lung_volume_ml=4000.0, seconds=1.0,
            classifier="c", classifier_version="1", classifier_digest="d",
            segmenter="s", segmenter_version="1", segmenter_digest="d",
            objects=[
                ResultObject(sop_instance_uid=uid, rank=rank, sop_class_uid="1.2", path=f"{uid}.dcm", sha256="d")
                for rank, uid in enumerate(("a", "b"))
            ],
        )  # fmt: skip
        session.add(result)
        session.flush()
        deliveries.open_all(session, job, result, destinations, now=now)
        event = Event.RESULTS_HELD if held else Event.RESULTS_STORED
        jobs.advance(session, job, event, now=now, owner="w")
        return job.id


def fit(_session: Session, _job: Job) -> tuple[Finding, ...]:
    return ()


def faulty(_session: Session, _job: Job) -> tuple[Finding, ...]:
    return (FAULT,)


def _send(sessions: Sessions, name: str, destination: Scripted, now: datetime) -> None:
    send_due(sessions, name, destination, RULES, OUTBOX, now=now)


def _state(sessions: Sessions, job: int) -> State:
    with sessions() as session:
        return session.get_one(Job, job).state


def test_the_job_is_done_when_the_last_destination_has_everything(
    sessions: Sessions, job: int, now: datetime
) -> None:
    _send(sessions, "pacs", Scripted(), now)
    assert _state(sessions, job) is State.DELIVERING
    _send(sessions, "archive", Scripted(), now)
    assert _state(sessions, job) is State.DONE


def test_what_was_sent_is_not_sent_again(sessions: Sessions, job: int, now: datetime) -> None:
    pacs = Scripted({"b": Outcome.TRY_AGAIN})
    _send(sessions, "pacs", pacs, now)
    pacs.outcomes.clear()
    _send(sessions, "pacs", pacs, now + timedelta(seconds=29))
    _send(sessions, "pacs", pacs, now + timedelta(seconds=30))
    assert pacs.sent == ["a", "b", "b"]
    with sessions() as session:
        every = [d for d in deliveries.of_job(session, session.get_one(Job, job)) if d.destination == "pacs"]
    assert {d.state for d in every} == {DeliveryState.SENT}


def test_a_refusal_parks_the_object_and_fails_the_job_with_the_answer(
    sessions: Sessions, now: datetime
) -> None:
    job = _delivering(sessions, now, "pacs")
    _send(sessions, "pacs", Scripted({"a": Outcome.REFUSED}), now)
    with sessions() as session:
        failed = session.get_one(Job, job)
    assert (failed.state, failed.reason) == (State.FAILED, "1 objects refused: pacs: because")


def test_a_retry_sends_only_what_was_refused(sessions: Sessions, now: datetime) -> None:
    job = _delivering(sessions, now, "pacs")
    pacs = Scripted({"a": Outcome.REFUSED})
    _send(sessions, "pacs", pacs, now)
    with sessions.begin() as session:
        retry(session, session.get_one(Job, job), fit, now=now)
    pacs.outcomes.clear()
    _send(sessions, "pacs", pacs, now)
    assert pacs.sent == ["a", "b", "a"]
    assert _state(sessions, job) is State.DONE


def test_held_results_leave_when_they_are_released(sessions: Sessions, now: datetime) -> None:
    job = _delivering(sessions, now, held=True)
    pacs = Scripted()
    _send(sessions, "pacs", pacs, now)
    assert pacs.sent == []
    with sessions.begin() as session:
        release(session, session.get_one(Job, job), fit, ["pacs"], now=now)
    _send(sessions, "pacs", pacs, now)
    assert pacs.sent == ["a", "b"]
    assert _state(sessions, job) is State.DONE


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
    _send(sessions, "pacs", Scripted(), now)
    park_unknown(sessions, ["pacs"], now=now)
    with sessions() as session:
        failed = session.get_one(Job, job)
    assert failed.state is State.FAILED
    assert "archive: this destination is not configured" in failed.reason


def test_nothing_is_released_to_nowhere(sessions: Sessions, now: datetime) -> None:
    job = _delivering(sessions, now, held=True)
    with sessions.begin() as session, pytest.raises(CannotIntervene, match="nowhere to go"):
        release(session, session.get_one(Job, job), fit, [], now=now)
    assert _state(sessions, job) is State.HELD


def test_of_a_faulty_object_nothing_of_its_job_is_sent(sessions: Sessions, job: int, now: datetime) -> None:
    with sessions.begin() as session:
        withhold(session, session.get_one(Job, job), [FAULT], now=now)
    pacs = Scripted()
    _send(sessions, "pacs", pacs, now)
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
    _send(sessions, "pacs", pacs, now)
    assert (pacs.sent, _state(sessions, job)) == ([], State.FAILED)
    with sessions.begin() as session:
        retry(session, session.get_one(Job, job), fit, now=now)
    _send(sessions, "pacs", pacs, now)
    assert pacs.sent == ["a", "b"]


def test_held_results_that_are_faulty_stay_held(sessions: Sessions, now: datetime) -> None:
    job = _delivering(sessions, now, held=True)
    with sessions.begin() as session, pytest.raises(CannotIntervene, match="object b fails the check"):
        release(session, session.get_one(Job, job), faulty, ["pacs"], now=now)
    assert _state(sessions, job) is State.HELD
