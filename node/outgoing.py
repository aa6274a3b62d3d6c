"""Sending what is due: each object to each destination has its own progress, and the job follows the last one."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from config.settings import Delivery as Rules
from db import deliveries, jobs
from db.models import Delivery, DeliveryState, Job
from db.session import Session, Sessions
from db.states import Event, State
from dicom_out.destination import Destination
from dicom_out.scu import Outcome, SendResult
from node.retry import resend_after

log = logging.getLogger(__name__)


def send_due(
    sessions: Sessions, name: str, destination: Destination, rules: Rules, outbox: Path, *, now: datetime
) -> None:
    """Send every object that is due at the destination of this name, and note each answer."""
    with sessions() as session:
        due = deliveries.due(session, name, now=now)
    if not due:
        return
    answers = destination.send([outbox / d.object.path for d in due])
    with sessions.begin() as session:
        for delivery, answer in zip(due, answers, strict=True):
            _note(session.merge(delivery), answer, rules, now=now)
        session.flush()
        for job_id in sorted({d.job_id for d in due}):
            _settle(session, session.get_one(Job, job_id), now=now)


def park_unknown(sessions: Sessions, names: Collection[str], *, now: datetime) -> None:
    """What waits for a destination that is no longer configured waits for a person."""
    with sessions.begin() as session:
        lost = deliveries.waiting_elsewhere(session, names)
        for delivery in lost:
            deliveries.parked(delivery, now=now, answer="this destination is not configured")
            log.error(
                "destination unknown", extra={"job": delivery.job_id, "destination": delivery.destination}
            )
        session.flush()
        for job_id in sorted({d.job_id for d in lost}):
            _settle(session, session.get_one(Job, job_id), now=now)


def _note(delivery: Delivery, result: SendResult, rules: Rules, *, now: datetime) -> None:
    facts = {"job": delivery.job_id, "sop_instance_uid": delivery.sop_instance_uid}
    match result.outcome:
        case Outcome.STORED:
            deliveries.sent(delivery, now=now, answer=result.answer)
            log.info("object sent", extra={**facts, "destination": delivery.destination})
        case Outcome.REFUSED:
            deliveries.parked(delivery, now=now, answer=result.answer)
            log.error("object refused", extra={**facts, "reason": result.answer})
        case Outcome.TRY_AGAIN:
            wait = resend_after(rules, delivery.attempts)
            deliveries.postponed(delivery, now=now, wait=wait, answer=result.answer)
            log.warning(
                "object waits", extra={**facts, "reason": result.answer, "wait_s": wait.total_seconds()}
            )


def _settle(session: Session, job: Job, *, now: datetime) -> None:
    """Move the job on when its last delivery has settled."""
    every = deliveries.of_job(session, job)
    if job.state is not State.DELIVERING or any(d.state is DeliveryState.WAITING for d in every):
        return
    parked = [d for d in every if d.state is DeliveryState.PARKED]
    if parked:
        reason = _refusals(parked)
        jobs.advance(session, job, Event.DELIVERY_REFUSED, now=now, detail=reason, reason=reason)
    else:
        jobs.advance(session, job, Event.DELIVERED, now=now, detail=f"{len(every)} objects")


def _refusals(parked: Sequence[Delivery]) -> str:
    answers = sorted({f"{d.destination}: {d.answer}" for d in parked})
    return f"{len(parked)} objects refused: " + "; ".join(answers)
