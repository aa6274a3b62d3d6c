"""Deliveries: one row for each object and destination, settled one by one."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from db import jobs
from db.models import Delivery, DeliveryState, Job, ObjectRole, ResultObject
from db.session import Session

MOST_AT_ONCE = 20  # after an outage, so that progress is noted on the way
ON_THEIR_WAY = (DeliveryState.WAITING, DeliveryState.UNCONFIRMED)
ARRIVED = (DeliveryState.SENT, DeliveryState.UNCONFIRMED, DeliveryState.COMMITTED)


def open_all(
    session: Session,
    job: Job,
    objects: Iterable[ResultObject],
    destinations: Iterable[str],
    *,
    now: datetime,
) -> None:
    """A waiting delivery of every object to every destination."""
    made = list(objects)
    for destination in destinations:
        session.add_all(
            Delivery(
                job_id=job.id,
                sop_instance_uid=one.sop_instance_uid,
                destination=destination,
                state=DeliveryState.WAITING,
                opened_at=now,
                next_attempt_at=now,
            )
            for one in made
        )
    session.flush()


def begin_due(session: Session, destination: str, *, now: datetime) -> Sequence[Delivery]:
    """Deliveries to that destination whose time has come, oldest first; their attempt counts from here.

    It is written down before the wire is touched, so that a crash or a withdrawal meanwhile finds what may be there.
    """
    due = _at(session, destination, DeliveryState.WAITING, now=now)
    for delivery in due:
        delivery.attempts += 1
    return due


def left_nothing(delivery: Delivery) -> None:
    """The last attempt did not reach the destination, or was refused there."""
    delivery.futile += 1


def may_be_there(delivery: Delivery) -> bool:
    """Has the destination the object, as far as we know? One that went out without an answer may be there."""
    return delivery.attempts > delivery.futile


def begin_requests(session: Session, destination: str, *, now: datetime) -> Sequence[Delivery]:
    """Deliveries that the destination is to be asked about; the request counts from here."""
    due = _at(session, destination, DeliveryState.UNCONFIRMED, now=now)
    for delivery in due:
        delivery.requests += 1
    return due


def _at(session: Session, destination: str, state: DeliveryState, *, now: datetime) -> Sequence[Delivery]:
    query = (
        select(Delivery)
        .options(joinedload(Delivery.object))
        .where(Delivery.state == state, Delivery.next_attempt_at <= now)
        .where(Delivery.destination == destination)
        .order_by(Delivery.id)
        .limit(MOST_AT_ONCE)
    )
    found = _locked(session, session.scalars(query).all())
    return [d for d in found if d.state is state and d.next_attempt_at <= now]


def _locked(session: Session, found: Sequence[Delivery]) -> list[Delivery]:
    """As they are now: jobs are locked first, then deliveries, by everybody."""
    if not found:
        return []
    jobs.locked(session, {d.job_id for d in found})
    return list(now_of(session, [d.id for d in found]).values())


def now_of(session: Session, ids: Collection[int]) -> dict[int, Delivery]:
    """These deliveries as they are now, by their number, and unchanged by others until the transaction ends."""
    query = (
        select(Delivery)
        .where(Delivery.id.in_(ids))
        .options(joinedload(Delivery.object))
        .order_by(Delivery.id)
        .with_for_update(of=Delivery, key_share=True)
        .execution_options(populate_existing=True)
    )
    return {delivery.id: delivery for delivery in session.scalars(query)}


def on_their_way_elsewhere(session: Session, destinations: Collection[str]) -> Sequence[Delivery]:
    """Deliveries that wait for none of these destinations."""
    query = select(Delivery).where(
        Delivery.state.in_(ON_THEIR_WAY), Delivery.destination.not_in(destinations)
    )
    found = _locked(session, session.scalars(query.order_by(Delivery.id)).all())
    return [d for d in found if d.state in ON_THEIR_WAY]


def unconfirmed(session: Session, destinations: Collection[str]) -> Sequence[Delivery]:
    """What these destinations have stored and not committed to yet."""
    query = select(Delivery).where(
        Delivery.state == DeliveryState.UNCONFIRMED, Delivery.destination.in_(destinations)
    )
    found = _locked(session, session.scalars(query.order_by(Delivery.id)).all())
    return [d for d in found if d.state is DeliveryState.UNCONFIRMED]


def newly_overdue(session: Session, *, opened_before: datetime, now: datetime) -> Sequence[Delivery]:
    """Deliveries on their way since before that instant; each is named once."""
    query = select(Delivery).where(
        Delivery.state.in_(ON_THEIR_WAY), Delivery.opened_at <= opened_before, Delivery.alarmed_at.is_(None)
    )
    found = _locked(session, session.scalars(query.order_by(Delivery.id)).all())
    overdue = [d for d in found if d.state in ON_THEIR_WAY]
    for delivery in overdue:
        delivery.alarmed_at = now
    return overdue


@dataclass(frozen=True)
class Progress:
    """How far the objects of one job have come at one destination."""

    destination: str
    objects: Mapping[DeliveryState, int]
    waiting_since: datetime | None  # while any is on its way
    next_attempt_at: datetime | None
    answer: str  # what the destination said last about an object that is not there


def progress(session: Session) -> dict[int, list[Progress]]:
    """The progress of every job that has deliveries, by its number."""
    by_destination: dict[int, dict[str, list[Delivery]]] = defaultdict(lambda: defaultdict(list))
    for delivery in session.scalars(select(Delivery).order_by(Delivery.id)):
        by_destination[delivery.job_id][delivery.destination].append(delivery)
    return {
        job_id: [_progress(name, every) for name, every in found.items()]
        for job_id, found in by_destination.items()
    }


def _progress(destination: str, every: Sequence[Delivery]) -> Progress:
    open_ones = [d for d in every if d.state in ON_THEIR_WAY]
    unsettled = open_ones or [d for d in every if d.state is DeliveryState.PARKED]
    return Progress(
        destination,
        Counter(d.state for d in every),
        min((d.opened_at for d in open_ones), default=None),
        min((d.next_attempt_at for d in open_ones), default=None),
        next((d.answer for d in unsettled if d.answer), ""),
    )


def of_job(session: Session, job: Job) -> Sequence[Delivery]:
    query = select(Delivery).options(joinedload(Delivery.object)).where(Delivery.job_id == job.id)
    return session.scalars(query.order_by(Delivery.id)).all()


def arrived(delivery: Delivery, *, commitment: bool, now: datetime, answer: str) -> None:
    """The destination has stored it; with `commitment` it is to be asked to keep it."""
    delivery.answer = answer
    if commitment:
        delivery.state = DeliveryState.UNCONFIRMED
        delivery.next_attempt_at = now
    else:
        _settle(delivery, DeliveryState.SENT, now=now, answer=answer)


def committed(delivery: Delivery, *, now: datetime, answer: str) -> None:
    _settle(delivery, DeliveryState.COMMITTED, now=now, answer=answer)


def parked(delivery: Delivery, *, now: datetime, answer: str) -> None:
    _settle(delivery, DeliveryState.PARKED, now=now, answer=answer)


def replaced(delivery: Delivery, *, now: datetime, answer: str) -> None:
    _settle(delivery, DeliveryState.REPLACED, now=now, answer=answer)


def cancelled(delivery: Delivery, *, now: datetime, answer: str) -> None:
    _settle(delivery, DeliveryState.CANCELLED, now=now, answer=answer)


def _settle(delivery: Delivery, state: DeliveryState, *, now: datetime, answer: str) -> None:
    delivery.state = state
    delivery.settled_at = now
    delivery.answer = answer


def waits(delivery: Delivery, *, until: datetime, answer: str) -> None:
    """It is to be sent again, whatever was known of it."""
    delivery.state = DeliveryState.WAITING
    delivery.next_attempt_at = until
    delivery.answer = answer


def asks_again(delivery: Delivery, *, at: datetime, answer: str) -> None:
    """The destination is asked once more to commit to it."""
    delivery.next_attempt_at = at
    delivery.answer = answer


def unpark(session: Session, job: Job, roles: Collection[ObjectRole], *, now: datetime) -> int:
    """Make every parked delivery of objects of these roles wait again, due now; returns how many."""
    again = [d for d in of_job(session, job) if d.state is DeliveryState.PARKED and d.object.role in roles]
    for delivery in again:
        delivery.state = DeliveryState.WAITING
        delivery.opened_at = delivery.next_attempt_at = now
        delivery.settled_at = delivery.alarmed_at = None
    session.flush()
    return len(again)
