"""The audit trail: rows are added here and read here, and never changed; each is chained to the one before.

A row carries an HMAC over its content and over the HMAC of the row before it (`db/chain.py`), with a key that is not
in the database. `db/tampering.py` finds what was changed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, Select, Text, event, select, type_coerce, update
from sqlalchemy.orm import SessionTransaction

from db.chain import BEGINS, Content, Earlier, Key
from db.models import AuditEvent, AuditHead, Job, without_nul
from db.session import Session, Sessions
from db.states import State


class NoAuditKey(Exception):
    """These sessions were opened to look, not to act: `begin` gives them the key."""


class OtherAuditKey(Exception):
    """The trail is chained with another key than this one."""


def note(
    session: Session,
    job: Job | None,
    event: str,
    *,
    now: datetime,
    detail: str = "",
    before: State | None = None,
    after: State | None = None,
) -> None:
    """Add one row to the caller's transaction; `detail` holds UIDs and numbers, never a patient's name.

    It takes its place in the chain when the transaction commits.
    """
    if session.audit_key is None:
        raise NoAuditKey
    session.noted.append(
        AuditEvent(
            at=now,
            job_id=job.id if job else None,
            study_instance_uid=job.study_instance_uid if job else None,
            event=event,
            state_before=before,
            state_after=after,
            detail=without_nul(detail),
        )
    )


def trail(session: Session, study_instance_uid: str | None = None) -> Sequence[AuditEvent]:
    """Every audit row, or those of a study, oldest first; what this transaction has noted is among them."""
    _chain_noted(session)
    query = select(AuditEvent).order_by(AuditEvent.id)
    if study_instance_uid is not None:
        query = query.where(AuditEvent.study_instance_uid == study_instance_uid)
    return session.scalars(query).all()


def has_begun(sessions: Sessions) -> bool:
    """Whether the trail is chained with a key already."""
    with sessions() as session:
        return session.scalars(select(AuditHead.key_name)).one() != ""


def begin(sessions: Sessions, key: Key, *, now: datetime) -> None:
    """Let `sessions` write to the trail with `key`, whose first row seals the rows from before the chain.

    Raises OtherAuditKey when the trail is chained with another.
    """
    sessions.configure(audit_key=key)
    with sessions.begin() as session:
        known = session.scalars(select(AuditHead.key_name).with_for_update()).one()
        if known not in ("", key.name):
            raise OtherAuditKey(f"the audit trail is chained with key {known}, and this is {key.name}")
        if known == "":
            before = _without_hmac(session)
            session.execute(update(AuditHead).values(key_name=key.name, row_id=before.last_id))
            note(session, None, BEGINS, now=now, detail=before.words)


def _without_hmac(session: Session) -> Earlier:
    found = Earlier()
    for row in session.execute(stored().where(AuditEvent.hmac.is_(None))).yield_per(1000):
        found.add(row.id, content_of(row))
    return found


@event.listens_for(Session, "before_commit")
def _chain_noted(session: Session) -> None:
    """Give what this transaction has noted its place in the chain.

    Whoever appends locks the one row of `audit_head`, after everything else that it changes: the order of locking is
    jobs, deliveries, commitments, head.
    """
    if not session.noted or session.audit_key is None or session.in_nested_transaction():
        return
    session.flush()
    key, head = session.audit_key, select(AuditHead.row_id, AuditHead.newest_hmac)
    row_id, newest = session.execute(head.with_for_update()).one()
    for row in session.noted:
        row_id += 1
        row.id, row.previous_hmac = row_id, newest
        row.hmac = newest = key.of_row(_content(row))
        session.add(row)
    session.noted.clear()
    session.flush()
    session.execute(
        update(AuditHead)
        .values(row_id=row_id, newest_hmac=newest, head_hmac=key.of_head(row_id, newest))
        .execution_options(synchronize_session=False)
    )


@event.listens_for(Session, "after_transaction_end")
def _forget_noted(session: Session, transaction: SessionTransaction) -> None:
    """What was noted in a transaction that is rolled back has not happened."""
    if transaction.parent is None:
        session.noted.clear()


def _content(row: AuditEvent) -> Content:
    return Content(
        row.id,
        row.at,
        row.job_id,
        row.study_instance_uid,
        row.event,
        row.state_before,
        row.state_after,
        row.detail,
        row.previous_hmac,
    )


def newest_row(session: Session) -> tuple[int, str] | None:
    """Id and HMAC of the newest row; None before the chain."""
    row = session.execute(select(AuditHead.row_id, AuditHead.newest_hmac)).one()
    return (row.row_id, row.newest_hmac) if row.newest_hmac else None


def stored() -> Select[*tuple[Any, ...]]:
    """Rows by id, to be read by `content_of`: as the database holds them, whatever somebody put there."""
    kept = (AuditEvent.at, AuditEvent.state_before, AuditEvent.state_after)
    at, before, after = (type_coerce(column, Text).label(column.key) for column in kept)
    return select(
        AuditEvent.id,
        at,
        AuditEvent.job_id,
        AuditEvent.study_instance_uid,
        AuditEvent.event,
        before,
        after,
        AuditEvent.detail,
        AuditEvent.previous_hmac,
        AuditEvent.hmac,
    ).order_by(AuditEvent.id)


def content_of(row: Row[*tuple[Any, ...]]) -> Content:
    row_id, at, *others, _ = row
    return Content(row_id, _instant(at), *others)


def _instant(value: object) -> object:
    """SQLite keeps an instant as text, in UTC and without saying so."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        return value
