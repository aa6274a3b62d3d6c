"""Instants of the future: written before the clock was set back, they would not come for as long as it was set back."""

from datetime import datetime, timedelta

from sqlalchemy import select, update

from db.models import Delivery, DeliveryState, Instance, Job
from db.session import Session
from db.states import State


def bring_back(
    session: Session,
    *,
    now: datetime,
    margin: timedelta,
    lease: timedelta,
    attempt: timedelta,
    delivery: timedelta,
) -> int:
    """Make due what waits longer than its longest wait and a margin; gives how many rows that was."""
    receiving = select(Job.study_instance_uid).where(Job.state == State.RECEIVING)
    waiting = (DeliveryState.WAITING, DeliveryState.UNCONFIRMED)
    jobs = update(Job).returning(Job.id)
    changed = (
        session.scalars(
            jobs.where(Job.state == State.QUEUED, Job.not_before > now + attempt + margin).values(
                not_before=None
            )
        ),
        session.scalars(
            jobs.where(Job.state == State.RUNNING, Job.lease_until > now + lease + margin).values(
                lease_until=now + lease
            )
        ),
        session.scalars(
            update(Delivery)
            .where(Delivery.state.in_(waiting), Delivery.next_attempt_at > now + delivery + margin)
            .values(next_attempt_at=now)
            .returning(Delivery.id)
        ),
        session.scalars(
            update(Instance)
            .where(Instance.study_instance_uid.in_(receiving), Instance.received_at > now + margin)
            .values(received_at=now)
            .returning(Instance.id)
        ),
    )
    return sum(len(rows.all()) for rows in changed)
