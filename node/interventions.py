"""What a person may ask of a job that has stopped: try again, or let its results go."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from config.settings import Delivery, Release, Storage
from db import deliveries, jobs, results
from db.models import Job, ObjectRole
from db.session import Session, Sessions
from db.states import Event, State
from dicom_out.finding import Finding
from node.inspection import ResultGone, inspect, verdict
from node.release import SHADOW, recipients

Check = Callable[[Session, Job], tuple[Finding, ...]]
"""What is wrong with the objects of a job: it is asked before they are let go, by whatever way."""


class CannotIntervene(Exception):
    """The job is not in a state where this can be asked."""


def retry_job(sessions: Sessions, number: int, storage: Storage, *, now: datetime) -> None:
    with sessions.begin() as session:
        retry(session, _job(session, number), partial(inspect, storage=storage), now=now)


def refuse_in_shadow(rules: Release) -> None:
    """Before anything that would send."""
    if rules.shadow:
        raise CannotIntervene(SHADOW)


def release_job(sessions: Sessions, number: int, storage: Storage, rules: Delivery, *, now: datetime) -> None:
    with sessions.begin() as session:
        job = _job(session, number)
        names = recipients(rules, jobs.senders(session, job))
        release(session, job, partial(inspect, storage=storage), names, now=now)


def _job(session: Session, number: int) -> Job:
    """The job, locked before anything of it is looked at."""
    for job in jobs.locked(session, [number]):
        return job
    raise CannotIntervene(f"there is no job {number}")


def retry(session: Session, job: Job, check: Check, *, now: datetime) -> None:
    """Try a failed delivery or analysis again, or look again at a rejected study."""
    withdrawn = job.withdrawal is not None
    if not withdrawn and (newer := jobs.newer_generation(session, job)):
        raise CannotIntervene(f"job {job.id} has given way to generation {newer.generation} of its study")
    if job.state is State.REJECTED:
        jobs.advance(session, job, Event.RECONSIDERED, now=now, attempts=0)
    elif job.state is not State.FAILED:
        raise CannotIntervene(f"job {job.id} is {job.state}; only FAILED and REJECTED jobs are retried")
    elif results.of_job(session, job) is None:
        jobs.advance(session, job, Event.ANALYSIS_RETRIED, now=now, attempts=0, not_before=None, reason="")
    else:
        _refuse_faulty(session, job, check)
        roles = (ObjectRole.REJECTION,) if withdrawn else (ObjectRole.RESULT, ObjectRole.OTHER_CLASS)
        again = deliveries.unpark(session, job, roles, now=now)
        event = Event.WITHDRAWAL_RETRIED if withdrawn else Event.DELIVERY_RETRIED
        jobs.advance(session, job, event, now=now, detail=f"{again} objects", reason="")


def release(session: Session, job: Job, check: Check, destinations: Iterable[str], *, now: datetime) -> None:
    """Let held results go to the destinations."""
    result = results.of_job(session, job)
    if job.state is not State.HELD or result is None:
        raise CannotIntervene(f"job {job.id} is {job.state}; only HELD jobs are released")
    names = list(destinations)
    if not names:
        raise CannotIntervene("no destination is configured for it, so that the results have nowhere to go")
    _refuse_faulty(session, job, check)
    deliveries.open_all(session, job, result.objects, names, now=now)
    jobs.advance(session, job, Event.RELEASED, now=now, reason="")


def _refuse_faulty(session: Session, job: Job, check: Check) -> None:
    """Objects that fail their check stay, whoever asks; another version may judge or make them otherwise."""
    try:
        found = check(session, job)
    except (ResultGone, OSError) as error:
        raise CannotIntervene(f"job {job.id} cannot be checked: {error}") from error
    if found:
        raise CannotIntervene(f"job {job.id}: {verdict(found)}")
