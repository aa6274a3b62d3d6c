"""The audit trail: rows are added here and read here, and never changed."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from db.models import AuditEvent, Job
from db.session import Session
from db.states import State


def note(
    session: Session,
    job: Job,
    event: str,
    *,
    now: datetime,
    detail: str = "",
    before: State | None = None,
    after: State | None = None,
) -> None:
    """Add one row in the caller's transaction; `detail` holds UIDs and numbers, never a patient's name."""
    session.add(
        AuditEvent(at=now, job_id=job.id, event=event, state_before=before, state_after=after, detail=detail)
    )


def trail(session: Session, study_instance_uid: str | None = None) -> Sequence[tuple[AuditEvent, Job]]:
    """Every audit row with its job, oldest first."""
    query = select(AuditEvent, Job).join(Job, Job.id == AuditEvent.job_id).order_by(AuditEvent.id)
    if study_instance_uid is not None:
        query = query.where(Job.study_instance_uid == study_instance_uid)
    return [(event, job) for event, job in session.execute(query)]
