"""Which images nothing needs any more: those of studies whose every job has ended well."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select

from db import jobs
from db.models import FormerRevision, Instance, Job
from db.session import Session
from db.states import State

OVER = frozenset({State.DONE, State.WITHDRAWN, State.REJECTED, State.SUPERSEDED})
"""What a job of such a state needed is needed no more; a FAILED one waits for a person."""


@dataclass(frozen=True)
class Expendable:
    """A study whose images may go."""

    study_instance_uid: str
    images: int
    size_bytes: int
    since: datetime  # its last job ended, or its last image came


def expendable(session: Session) -> Sequence[Expendable]:
    """Those that have images on the disk, the one that ended first before the others."""
    on_disk = (
        select(
            Instance.study_instance_uid.label("study"),
            func.count().label("images"),
            func.sum(Instance.size_bytes).label("size"),
        )
        .where(Instance.deleted_at.is_(None))
        .group_by(Instance.study_instance_uid)
        .subquery()
    )
    received = (
        select(func.max(Instance.received_at))
        .where(Instance.study_instance_uid == on_disk.c.study)
        .scalar_subquery()
    )
    query = (
        select(on_disk.c.study, on_disk.c.images, on_disk.c.size, func.max(Job.changed_at), received)
        .join(Job, Job.study_instance_uid == on_disk.c.study)
        .group_by(on_disk.c.study, on_disk.c.images, on_disk.c.size)
        .having(func.count().filter(Job.state.not_in(OVER)) == 0)
    )
    found = [
        Expendable(study, images, int(size), max(ended, last))
        for study, images, size, ended, last in session.execute(query)
    ]
    return sorted(found, key=lambda study: (study.since, study.study_instance_uid))


def still_expendable(session: Session, study_instance_uid: str, *, since: datetime) -> Job | None:
    """The newest job of the study, all of whose jobs are locked; None where one of them has moved since."""
    query = select(Job.id).where(Job.study_instance_uid == study_instance_uid)
    every = jobs.locked(session, session.scalars(query))
    if any(job.state not in OVER or job.changed_at > since for job in every):
        return None
    return max(every, key=lambda job: job.generation)


def on_disk(session: Session, study_instance_uid: str) -> Sequence[Instance]:
    """Its images that are on the disk, locked."""
    return _locked(session, study_instance_uid, Instance.deleted_at.is_(None))


def deleted(session: Session, study_instance_uid: str) -> Sequence[Instance]:
    """Its images that are deleted, locked."""
    return _locked(session, study_instance_uid, Instance.deleted_at.is_not(None))


def _locked(session: Session, study_instance_uid: str, which: ColumnElement[bool]) -> Sequence[Instance]:
    query = select(Instance).where(Instance.study_instance_uid == study_instance_uid, which)
    return session.scalars(query.order_by(Instance.id).with_for_update()).all()


def former_files(session: Session, images: Sequence[Instance]) -> Sequence[str]:
    """Where below the spool the contents lie that they had before they were revised."""
    numbers = [image.id for image in images]
    return session.scalars(select(FormerRevision.path).where(FormerRevision.instance_id.in_(numbers))).all()


def came_again(session: Session, sop_instance_uid: str, *, now: datetime) -> None:
    """An image whose file was deleted is on the disk again, and stays as long as any that came now."""
    query = select(Instance).where(Instance.sop_instance_uid == sop_instance_uid).with_for_update()
    instance = session.scalars(query).one_or_none()  # None: it comes for the first time, twice at once
    if instance is not None and instance.deleted_at is not None:
        instance.deleted_at, instance.received_at = None, now
