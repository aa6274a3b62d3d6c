"""How far the audit trail has been sent to the audit record repository: the trail itself is the queue."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from db.models import AuditEvent, AuditExport
from db.session import Session


def progress(session: Session) -> AuditExport:
    return session.scalars(select(AuditExport)).one()


def waiting(session: Session, *, most: int) -> Sequence[AuditEvent]:
    """The oldest rows that have not arrived there."""
    query = select(AuditEvent).where(AuditEvent.id > progress(session).row_id)
    return session.scalars(query.order_by(AuditEvent.id).limit(most)).all()


def arrived(session: Session, row_id: int) -> None:
    """Everything up to that row."""
    found = progress(session)
    found.row_id, found.attempts, found.next_attempt_at = row_id, 0, None


def failed(session: Session, *, next_attempt_at: datetime) -> None:
    found = progress(session)
    found.attempts += 1
    found.next_attempt_at = next_attempt_at
