"""Whatever the clock does, what waits is done: set back by days, nothing waits for days."""

from datetime import datetime, timedelta

import pytest

from config.settings import Settings
from db import instances, jobs
from db.models import Delivery, DeliveryState, Instance, Job, ResultObject
from db.session import Sessions
from db.states import State
from node.clock import MARGIN, mend_clock
from node.leases import expire_leases
from node.retry import LONGEST_RETRY
from tests.results import result

STUDIES = {"1.2.1": State.RECEIVING, "1.2.2": State.QUEUED, "1.2.3": State.RUNNING, "1.2.4": State.DELIVERING}


@pytest.fixture
def busy(sessions: Sessions, settings: Settings, now: datetime) -> Sessions:
    """A job in every state that waits for an instant, all as they are a moment after `now`."""
    with sessions.begin() as session:
        for number, (study, state) in enumerate(STUDIES.items()):
            instances.add(session.connection(), [_image(study, number, now)])
            job = jobs.image_arrived(session, study, now=now)
            job.state = state
            if state is State.QUEUED:
                job.not_before = now + LONGEST_RETRY
            if state is State.RUNNING:
                job.lease_owner = "w1"
                job.lease_until = now + timedelta(seconds=settings.worker.lease_s)
            if state is State.DELIVERING:
                session.add(result(job.id))
                session.flush()
                session.add(_object(job.id))
                session.flush()
                session.add(_delivery(job.id, now + timedelta(seconds=settings.delivery.longest_retry_s)))
    return sessions


def _image(study: str, number: int, now: datetime) -> Instance:
    return Instance(
        sop_instance_uid=f"{study}.1", sop_class_uid="1.2", study_instance_uid=study, series_instance_uid="1.9",
        sha256=f"{number}", size_bytes=1, path=f"{study}/{number}", calling_ae_title="PACS", received_at=now,
    )  # fmt: skip


def _object(job_id: int) -> ResultObject:
    return ResultObject(
        sop_instance_uid="1.3", job_id=job_id, rank=0, sop_class_uid="1.2", path="a", sha256="d"
    )


def _delivery(job_id: int, due: datetime) -> Delivery:
    return Delivery(
        job_id=job_id, sop_instance_uid="1.3", destination="pacs", state=DeliveryState.WAITING, opened_at=due,
        next_attempt_at=due,
    )  # fmt: skip


def _instants(sessions: Sessions) -> list[datetime | None]:
    with sessions() as session:
        (receiving, queued, running, _), (delivery,) = jobs.every(session), session.query(Delivery).all()
        received = instances.last_received_at(session, receiving.study_instance_uid)
        return [received, queued.not_before, running.lease_until, delivery.next_attempt_at]


@pytest.mark.parametrize("back", [timedelta(0), timedelta(seconds=30)])
def test_a_clock_that_goes_right_or_nearly_changes_nothing(
    busy: Sessions, settings: Settings, now: datetime, back: timedelta
) -> None:
    before = _instants(busy)
    mend_clock(busy, settings, now=now - back)
    assert _instants(busy) == before


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=400)])
def test_a_clock_that_was_set_back_lets_nothing_wait_for_it(
    busy: Sessions, settings: Settings, now: datetime, back: timedelta
) -> None:
    then = now - back
    mend_clock(busy, settings, now=then)
    lease = timedelta(seconds=settings.worker.lease_s)
    assert _instants(busy) == [then, None, then + lease, then]
    expire_leases(busy, settings.worker, now=then + lease + MARGIN)
    with busy.begin() as session:
        claimed = jobs.claim(session, worker="w2", lease=lease, now=then + lease + MARGIN)
        assert claimed is not None
        assert claimed.study_instance_uid == "1.2.2"
        assert session.get_one(Job, 3).state is State.QUEUED


def test_a_clock_that_was_set_forward_costs_a_live_worker_its_attempt_and_no_more(
    busy: Sessions, settings: Settings, now: datetime
) -> None:
    later = now + timedelta(days=1)
    mend_clock(busy, settings, now=later)
    expire_leases(busy, settings.worker, now=later)
    with busy.begin() as session, pytest.raises(jobs.LostRace):
        jobs.renew(session, 3, worker="w1", lease=timedelta(seconds=60), now=later)
