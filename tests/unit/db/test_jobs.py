"""Jobs: one owner, one writer, an audit row for each move."""

from datetime import datetime, timedelta

import pytest

from db import audit, jobs
from db.models import Job
from db.session import Session, Sessions
from db.states import Event, State

STUDY = "1.2.3"
LEASE = timedelta(seconds=60)


def _queued(session: Session, now: datetime, study: str = STUDY) -> Job:
    job = jobs.image_arrived(session, study, now=now)
    jobs.advance(session, job, Event.STUDY_COMPLETE, now=now, completed_at=now)
    return job


def test_images_of_one_study_share_a_job(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        first, second = (jobs.image_arrived(session, STUDY, now=now) for _ in range(2))
        assert first.id == second.id
        assert first.state is State.RECEIVING


def test_an_image_before_the_start_takes_the_job_back(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        job = _queued(session, now)
        assert jobs.image_arrived(session, STUDY, now=now).id == job.id
        assert job.state is State.RECEIVING


def test_an_image_after_the_start_opens_the_next_generation(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        _queued(session, now)
        jobs.claim(session, worker="w1", lease=LEASE, now=now)
        late = jobs.image_arrived(session, STUDY, now=now)
        assert (late.generation, late.state) == (2, State.RECEIVING)


def test_a_released_association_is_noted_with_the_jobs_that_receive_what_it_brought(
    sessions: Sessions, now: datetime
) -> None:
    later = now + timedelta(seconds=1)
    with sessions.begin() as session:
        _queued(session, now, "1.2.1")
        jobs.claim(session, worker="w", lease=LEASE, now=now)
        _queued(session, now, "1.2.2")
        for study in ("1.2.1", "1.2.3", "1.2.4"):
            jobs.image_arrived(session, study, now=now)
        jobs.sender_released(session, {"1.2.1", "1.2.2", "1.2.3", "1.2.5"}, now=later)
    with sessions() as session:
        noted = [(job.study_instance_uid, job.generation, job.released_at) for job in jobs.every(session)]
    assert noted == [
        ("1.2.1", 1, None), ("1.2.2", 1, None), ("1.2.1", 2, later), ("1.2.3", 1, later), ("1.2.4", 1, None),
    ]  # fmt: skip


def test_an_annotation_opens_no_job_before_the_first_image(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        assert jobs.annotation_arrived(session, STUDY, now=now) is None
        job = jobs.image_arrived(session, STUDY, now=now)
        assert jobs.annotation_arrived(session, STUDY, now=now) is job


def test_an_annotation_after_the_start_opens_the_next_generation(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        _queued(session, now)
        jobs.claim(session, worker="w1", lease=LEASE, now=now)
        late = jobs.annotation_arrived(session, STUDY, now=now)
        assert late is not None
        assert (late.generation, late.state) == (2, State.RECEIVING)


def test_a_job_has_one_owner(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        job = _queued(session, now)
        claimed = jobs.claim(session, worker="w1", lease=LEASE, now=now)
        assert claimed is not None
        assert (claimed.id, claimed.lease_owner, claimed.attempts) == (job.id, "w1", 1)
        assert jobs.claim(session, worker="w2", lease=LEASE, now=now) is None


def test_the_oldest_job_is_claimed_first(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        older, _ = _queued(session, now, "1.2.1"), _queued(session, now, "1.2.2")
        claimed = jobs.claim(session, worker="w", lease=LEASE, now=now)
        assert claimed is not None
        assert claimed.id == older.id


def test_a_job_waits_for_its_next_attempt(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        job = _queued(session, now)
        job.not_before = now + timedelta(seconds=1)
        session.flush()
        assert jobs.claim(session, worker="w", lease=LEASE, now=now) is None
        assert jobs.claim(session, worker="w", lease=LEASE, now=now + timedelta(seconds=1)) is not None


def test_a_worker_that_lost_its_lease_cannot_end_the_job(sessions: Sessions, now: datetime) -> None:
    later = now + 2 * LEASE
    with sessions.begin() as session:
        job = _queued(session, now)
        jobs.claim(session, worker="w1", lease=LEASE, now=now)
        (lost,) = jobs.with_lost_lease(session, now=later)
        jobs.advance(session, lost, Event.LEASE_LOST, now=later)
        jobs.claim(session, worker="w2", lease=LEASE, now=later)
        with pytest.raises(jobs.LostRace, match="w1"):
            jobs.advance(session, job, Event.RESULTS_KEPT, now=later, owner="w1")
        with pytest.raises(jobs.LostRace, match="w1"):
            jobs.renew(session, job.id, worker="w1", lease=LEASE, now=later)


def test_a_renewed_lease_is_not_lost(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        job = _queued(session, now)
        jobs.claim(session, worker="w", lease=LEASE, now=now)
        jobs.renew(session, job.id, worker="w", lease=LEASE, now=now + LEASE)
        assert jobs.with_lost_lease(session, now=now + 1.5 * LEASE) == []


def test_the_audit_trail_replays_to_the_present_state(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        job = _queued(session, now)
        jobs.claim(session, worker="w", lease=LEASE, now=now)
        jobs.advance(session, job, Event.RESULTS_KEPT, now=now, owner="w")
        states = [event.state_after for event in audit.trail(session, STUDY)]
        assert states == [State.RECEIVING, State.QUEUED, State.RUNNING, State.DONE]
        assert states[-1] is job.state


def test_an_older_generation_that_is_held_gives_way(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        held = _queued(session, now)
        jobs.claim(session, worker="w", lease=LEASE, now=now)
        jobs.advance(session, held, Event.RESULTS_HELD, now=now, owner="w")
        newer = jobs.image_arrived(session, STUDY, now=now)
        jobs.supersede_held(session, newer, now=now)
        session.refresh(held)
        assert held.state is State.SUPERSEDED


def test_a_waiting_attempt_gives_way_to_a_newer_generation(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        older = _queued(session, now)
        jobs.claim(session, worker="w", lease=LEASE, now=now)
        newer = jobs.image_arrived(session, STUDY, now=now)
        jobs.advance(session, older, Event.ATTEMPT_FAILED, now=now, owner="w", not_before=now + LEASE)
        jobs.advance(session, newer, Event.STUDY_COMPLETE, now=now, completed_at=now)
        claimed = [jobs.claim(session, worker="w", lease=LEASE, now=now + 2 * LEASE) for _ in range(2)]
        assert [job.id if job else None for job in claimed] == [newer.id, None]
        assert older.state is State.SUPERSEDED
