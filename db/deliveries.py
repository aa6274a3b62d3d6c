"""Deliveries: one row for each object and destination, settled one by one."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from db.models import Delivery, DeliveryState, Job, Result
from db.session import Session

MOST_AT_ONCE = 20  # after an outage, so that progress is noted on the way


def open_all(
    session: Session, job: Job, result: Result, destinations: Iterable[str], *, now: datetime
) -> None:
    """A waiting delivery of every object to every destination."""
    for destination in destinations:
        session.add_all(
            Delivery(
                job_id=job.id,
                sop_instance_uid=made.sop_instance_uid,
                destination=destination,
                state=DeliveryState.WAITING,
                next_attempt_at=now,
            )
            for made in result.objects
        )
    session.flush()


def due(session: Session, destination: str, *, now: datetime) -> Sequence[Delivery]:
    """Deliveries to that destination whose time has come, oldest first."""
    query = (
        select(Delivery)
        .options(joinedload(Delivery.object))
        .where(Delivery.state == DeliveryState.WAITING, Delivery.next_attempt_at <= now)
        .where(Delivery.destination == destination)
        .order_by(Delivery.id)
        .limit(MOST_AT_ONCE)
    )
    return session.scalars(query).all()


def waiting_elsewhere(session: Session, destinations: Collection[str]) -> Sequence[Delivery]:
    """Deliveries that wait for none of these destinations."""
    query = select(Delivery).where(
        Delivery.state == DeliveryState.WAITING, Delivery.destination.not_in(destinations)
    )
    return session.scalars(query.order_by(Delivery.id)).all()


def of_job(session: Session, job: Job) -> Sequence[Delivery]:
    query = select(Delivery).options(joinedload(Delivery.object)).where(Delivery.job_id == job.id)
    return session.scalars(query.order_by(Delivery.id)).all()


def sent(delivery: Delivery, *, now: datetime, answer: str) -> None:
    delivery.state = DeliveryState.SENT
    delivery.attempts += 1
    delivery.settled_at = now
    delivery.answer = answer


def parked(delivery: Delivery, *, now: datetime, answer: str) -> None:
    delivery.state = DeliveryState.PARKED
    delivery.attempts += 1
    delivery.settled_at = now
    delivery.answer = answer


def withheld(delivery: Delivery, *, now: datetime, answer: str) -> None:
    """Parked by ourselves: the destination was not asked."""
    delivery.state = DeliveryState.PARKED
    delivery.settled_at = now
    delivery.answer = answer


def postponed(delivery: Delivery, *, now: datetime, wait: timedelta, answer: str) -> None:
    delivery.attempts += 1
    delivery.next_attempt_at = now + wait
    delivery.answer = answer


def unpark(session: Session, job: Job, *, now: datetime) -> int:
    """Make every parked delivery of the job wait again, due now; returns how many."""
    again = [d for d in of_job(session, job) if d.state is DeliveryState.PARKED]
    for delivery in again:
        delivery.state = DeliveryState.WAITING
        delivery.next_attempt_at = now
        delivery.settled_at = None
    session.flush()
    return len(again)
