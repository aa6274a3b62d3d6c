"""Jobs: opened by an image, or by an annotation of a known study; moved only by `advance`, owned by whoever holds the lease."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError

from db.audit import note
from db.models import Instance, Job, JobInput
from db.session import Session
from db.states import Event, State, next_state

_LATEST_STATE = (  # made once, for every object that is received
    select(Job.state)
    .where(Job.study_instance_uid == bindparam("study"))
    .order_by(Job.generation.desc())
    .limit(1)
    .with_for_update(key_share=True)
)


class LostRace(Exception):
    """Somebody else was first: moved the job, took its lease, or revised the object."""


def advance(
    session: Session,
    job: Job,
    event: Event,
    *,
    now: datetime,
    detail: str = "",
    owner: str | None = None,
    **changes: Any,
) -> None:
    """Move `job` by `event` and write the audit row, both in the caller's transaction.

    With `owner`, only while that worker holds the lease. Leaving RUNNING gives the lease up.
    """
    before, after = job.state, next_state(job.state, event)
    lease = {"lease_owner": None, "lease_until": None} if before is State.RUNNING else {}
    guard = [Job.id == job.id, Job.state == before]
    if owner is not None:
        guard.append(Job.lease_owner == owner)
    moved = session.scalars(
        update(Job)
        .where(*guard)
        .values(state=after, changed_at=now, **lease, **changes)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if moved is None:
        raise LostRace(f"job {job.id} is no longer {before}" + (f" with {owner}" if owner else ""))
    note(session, job, event, now=now, detail=detail, before=before, after=after)
    session.flush()
    session.get_one(
        Job, job.id, populate_existing=True
    )  # the object in this session, if `job` is it, is fresh


def is_receiving(connection: Connection, study_instance_uid: str) -> bool:
    """Has the study a job that takes in what comes? It is locked, as by `image_arrived`."""
    state = connection.execute(_LATEST_STATE, {"study": study_instance_uid}).scalar()
    return state is State.RECEIVING


def image_arrived(session: Session, study_instance_uid: str, *, now: datetime, detail: str = "") -> Job:
    """The job that an image of this study belongs to: an unstarted one, or the next generation.

    It is locked, so that nobody finds the study complete without the image.
    """
    while True:
        latest = latest_generation(session, study_instance_uid, lock=True)
        if latest is not None and latest.state is State.RECEIVING:
            return latest
        if latest is not None and latest.state is State.QUEUED:
            advance(session, latest, Event.IMAGE_ARRIVED, now=now, detail=detail)
            return latest
        generation = latest.generation + 1 if latest else 1
        try:
            return _open(session, study_instance_uid, generation=generation, now=now)
        except IntegrityError:  # its image came on another association at the same moment
            if latest_generation(session, study_instance_uid) is latest:
                raise


def sender_released(session: Session, studies: Collection[str], *, now: datetime) -> None:
    """An association that brought objects of these studies has been released.

    A job that is locked is left out and not waited for: more is coming to it, or it is being decided on.
    """
    receiving = select(Job.id).where(Job.study_instance_uid.in_(studies), Job.state == State.RECEIVING)
    free = receiving.with_for_update(skip_locked=True, key_share=True)
    session.execute(
        update(Job)
        .where(Job.id.in_(free))
        .values(released_at=now)
        .execution_options(synchronize_session=False)
    )


def is_undecided(session: Session, study_instance_uid: str) -> bool:
    """Has the study a job that no worker has begun?"""
    latest = latest_generation(session, study_instance_uid)
    return latest is not None and latest.state in (State.RECEIVING, State.QUEUED)


def annotation_arrived(session: Session, study_instance_uid: str, *, now: datetime) -> Job | None:
    """The same for an annotation; None before the first image, whose job will find it."""
    if latest_generation(session, study_instance_uid) is None:
        return None
    return image_arrived(session, study_instance_uid, now=now, detail="an annotation")


def latest_generation(session: Session, study_instance_uid: str, *, lock: bool = False) -> Job | None:
    query = select(Job).where(Job.study_instance_uid == study_instance_uid)
    query = query.order_by(Job.generation.desc()).limit(1)
    return session.scalars(_locking(query) if lock else query).one_or_none()


def _locking(query: Select[Job]) -> Select[Job]:
    """As the rows are now, unchanged by others until the transaction ends; rows may still be made that refer to them."""
    return query.with_for_update(key_share=True).execution_options(populate_existing=True)


def _open(session: Session, study_instance_uid: str, *, generation: int, now: datetime) -> Job:
    job = Job(
        study_instance_uid=study_instance_uid,
        generation=generation,
        state=State.RECEIVING,
        created_at=now,
        changed_at=now,
    )
    with session.begin_nested():
        session.add(job)
    note(session, job, "opened", now=now, after=State.RECEIVING, detail=f"generation {generation}")
    return job


def supersede_held(session: Session, job: Job, *, now: datetime) -> None:
    """Earlier generations that still wait for release give way to `job`."""
    query = select(Job).where(
        Job.study_instance_uid == job.study_instance_uid,
        Job.generation < job.generation,
        Job.state == State.HELD,
    )
    for held in session.scalars(_locking(query.order_by(Job.id))).all():
        advance(session, held, Event.NEWER_GENERATION, now=now, detail=f"generation {job.generation}")


def locked(session: Session, numbers: Iterable[int]) -> Sequence[Job]:
    """These jobs as they are now; no other transaction moves them, or their deliveries, until this one ends."""
    return session.scalars(_locking(select(Job).where(Job.id.in_(list(numbers))).order_by(Job.id))).all()


def in_state(session: Session, *states: State) -> Sequence[Job]:
    return session.scalars(select(Job).where(Job.state.in_(states)).order_by(Job.id)).all()


def every(session: Session) -> Sequence[Job]:
    return session.scalars(select(Job).order_by(Job.id)).all()


def newer_generation(session: Session, job: Job) -> Job | None:
    """The newest generation of the study, if it came after `job` and was not rejected."""
    query = select(Job).where(
        Job.study_instance_uid == job.study_instance_uid,
        Job.generation > job.generation,
        Job.state != State.REJECTED,
    )
    return session.scalars(query.order_by(Job.generation.desc()).limit(1)).one_or_none()


def generation_before(session: Session, job: Job) -> Job | None:
    """The newest earlier generation of the study that was not rejected."""
    query = select(Job).where(
        Job.study_instance_uid == job.study_instance_uid,
        Job.generation < job.generation,
        Job.state != State.REJECTED,
    )
    return session.scalars(query.order_by(Job.generation.desc()).limit(1)).one_or_none()


def claim(session: Session, *, worker: str, lease: timedelta, now: datetime) -> Job | None:
    """The oldest job that waits, now RUNNING with `worker`; None when nothing waits."""
    due = or_(Job.not_before.is_(None), Job.not_before <= now)
    query = select(Job).where(Job.state == State.QUEUED, due).order_by(Job.id).limit(1)
    query = query.with_for_update(skip_locked=True, key_share=True)
    while job := session.scalars(query.execution_options(populate_existing=True)).one_or_none():
        newer = newer_generation(session, job)
        if newer is None:
            break
        advance(session, job, Event.NEWER_GENERATION, now=now, detail=f"generation {newer.generation}")
    if job is None:
        return None
    advance(
        session,
        job,
        Event.CLAIMED,
        now=now,
        detail=f"by {worker}, attempt {job.attempts + 1}",
        attempts=Job.attempts + 1,
        lease_owner=worker,
        lease_until=now + lease,
        not_before=None,
    )
    return job


def renew(session: Session, job_id: int, *, worker: str, lease: timedelta, now: datetime) -> None:
    """Keep the lease a while longer; `LostRace` when it is no longer ours."""
    renewed = session.scalars(
        update(Job)
        .where(Job.id == job_id, Job.state == State.RUNNING, Job.lease_owner == worker)
        .values(lease_until=now + lease)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if renewed is None:
        raise LostRace(f"job {job_id} is no longer with {worker}")


def with_lost_lease(session: Session, *, now: datetime) -> Sequence[Job]:
    """Jobs whose worker has been silent for longer than its lease, locked: none of them renews it now."""
    query = select(Job).where(Job.state == State.RUNNING, Job.lease_until < now)
    return session.scalars(_locking(query.order_by(Job.id))).all()


def senders(session: Session, job: Job) -> set[str]:
    """The AE titles that sent what `job` analyses."""
    return {instance.calling_ae_title for instance in inputs(session, job)}


def set_inputs(session: Session, job: Job, instances: Iterable[Instance]) -> None:
    """Fix the images and annotations that `job` analyses, in place of those of an earlier look at the study."""
    for former in session.scalars(select(JobInput).where(JobInput.job_id == job.id)):
        session.delete(former)
    session.flush()
    session.add_all(JobInput(job_id=job.id, instance_id=i.id, sha256=i.sha256) for i in instances)


def analyses(session: Session, job: Job, chosen: Iterable[Instance]) -> bool:
    """Were the inputs of `job` these very objects, with the content that they have now?"""
    query = select(JobInput.instance_id, JobInput.sha256).where(JobInput.job_id == job.id)
    return {tuple(row) for row in session.execute(query)} == {(i.id, i.sha256) for i in chosen}


def inputs(session: Session, job: Job) -> Sequence[Instance]:
    query = select(Instance).join(JobInput, JobInput.instance_id == Instance.id)
    return session.scalars(query.where(JobInput.job_id == job.id).order_by(Instance.sop_instance_uid)).all()
