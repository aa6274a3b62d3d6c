"""A job follows its deliveries: it moves on when the last one has settled."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from db import deliveries, jobs
from db.models import Delivery, DeliveryState, Job, ObjectRole
from db.session import Session
from db.states import Event, State
from dicom_out.outcome import unquoted


def settle(session: Session, locked: Iterable[Job], *, now: datetime) -> None:
    """Move each job by what its deliveries have come to; the caller has locked the jobs."""
    session.flush()
    for job in locked:
        every = deliveries.of_job(session, job)
        if job.state is State.WITHDRAWING:
            every = [d for d in every if d.object.role is ObjectRole.REJECTION]
        event = next_event(job.state, {d.state for d in every})
        if event is None:
            continue
        parked = [d for d in every if d.state is DeliveryState.PARKED]
        reason = {"reason": refusals(parked)} if parked else {}
        detail = refusals(parked, said=unquoted) or f"{len(every)} objects"
        jobs.advance(session, job, event, now=now, detail=detail, **reason)


def next_event(state: State, found: Collection[DeliveryState]) -> Event | None:
    """What happens to a job in this state when its deliveries are in those; None where it stays. Pure."""
    waits, refused = DeliveryState.WAITING in found, DeliveryState.PARKED in found
    unconfirmed = DeliveryState.UNCONFIRMED in found
    match state:
        case State.DELIVERING if unconfirmed and not waits:
            return Event.SENT
        case State.COMMITTING if waits:
            return Event.NOT_COMMITTED
        case State.DELIVERING | State.COMMITTING if not waits and not unconfirmed:
            return Event.DELIVERY_REFUSED if refused else Event.DELIVERED
        case State.WITHDRAWING if not waits and not unconfirmed:
            return Event.WITHDRAWAL_REFUSED if refused else Event.WITHDRAWAL_DELIVERED
        case _:
            return None


def refusals(parked: Sequence[Delivery], said: Callable[[str], str] = str) -> str:
    """The answers of destinations that refused, each as `said` gives it; empty where none did."""
    if not parked:
        return ""
    answers = sorted({f"{d.destination}: {said(d.answer)}" for d in parked})
    return f"{len(parked)} objects refused: " + "; ".join(answers)
