"""Sending what is due: each object to each destination has its own progress."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from config.settings import Delivery as Rules
from config.settings import Destination as Recipient
from config.settings import Settings
from db import audit, deliveries, jobs
from db.models import Delivery, DeliveryState, Job
from db.session import Session, Sessions
from dicom_out.destination import Destination
from dicom_out.outcome import Outcome, SendResult
from node.other_class import open_in_other_class
from node.retry import resend_after
from node.settling import settle

log = logging.getLogger(__name__)


def send_due(
    sessions: Sessions, to: Recipient, destination: Destination, settings: Settings, *, now: datetime
) -> None:
    """Send every object that is due at this destination, and note each answer."""
    with sessions.begin() as session:
        due = deliveries.begin_due(session, to.name, now=now)
    if not due:
        return
    answers = destination.send([settings.storage.outbox / d.object.path for d in due])
    with sessions.begin() as session:
        locked = jobs.locked(session, {d.job_id for d in due})
        current = deliveries.now_of(session, [d.id for d in due])
        for delivery, answer in zip(due, answers, strict=True):
            _note(session, current[delivery.id], answer, to, settings, now=now)
        settle(session, locked, now=now)


def _note(
    session: Session,
    delivery: Delivery,
    result: SendResult,
    to: Recipient,
    settings: Settings,
    *,
    now: datetime,
) -> None:
    facts = {
        "job": delivery.job_id,
        "sop_instance_uid": delivery.sop_instance_uid,
        "destination": delivery.destination,
    }
    if result.outcome is not Outcome.STORED and not result.unanswered:
        deliveries.left_nothing(delivery)
    if delivery.state is not DeliveryState.WAITING:  # withdrawn while it was under way
        delivery.answer += f"; then {result.outcome} {result.answer}".rstrip()
        return
    match result.outcome:
        case Outcome.STORED:
            deliveries.arrived(delivery, commitment=to.commitment, now=now, answer=result.answer)
            level = logging.WARNING if result.answer else logging.INFO
            log.log(level, "object sent", extra={**facts, "answer": result.answer})
        case Outcome.CLASS_REFUSED if open_in_other_class(session, delivery, settings.storage, now=now):
            deliveries.replaced(delivery, now=now, answer=result.answer)
            log.warning("report goes as another SOP class", extra={**facts, "reason": result.answer})
        case Outcome.REFUSED | Outcome.CLASS_REFUSED:
            deliveries.parked(delivery, now=now, answer=result.answer)
            log.error("object refused", extra={**facts, "reason": result.answer})
        case Outcome.TRY_AGAIN:
            wait = resend_after(settings.delivery, delivery.attempts)
            deliveries.waits(delivery, until=now + wait, answer=result.answer)
            log.warning(
                "object waits", extra={**facts, "reason": result.answer, "wait_s": wait.total_seconds()}
            )


def park_unknown(sessions: Sessions, names: Collection[str], *, now: datetime) -> None:
    """What is on its way to a destination that is no longer configured waits for a person."""
    with sessions.begin() as session:
        lost = deliveries.on_their_way_elsewhere(session, names)
        locked = jobs.locked(session, {d.job_id for d in lost})
        for delivery in lost:
            deliveries.parked(delivery, now=now, answer="this destination is not configured")
            log.error(
                "destination unknown", extra={"job": delivery.job_id, "destination": delivery.destination}
            )
        settle(session, locked, now=now)


def call_overdue(sessions: Sessions, rules: Rules, *, now: datetime) -> None:
    """Say once, in log and audit, of each job and destination that its objects have been on their way for long."""
    with sessions.begin() as session:
        overdue = deliveries.newly_overdue(
            session, opened_before=now - timedelta(seconds=rules.alarm_after_s), now=now
        )
        for job_id, name in sorted({(d.job_id, d.destination) for d in overdue}):
            late = [d for d in overdue if (d.job_id, d.destination) == (job_id, name)]
            reason = f"{len(late)} objects since {late[0].opened_at:%Y-%m-%d %H:%M}: {late[0].answer}"
            audit.note(session, session.get_one(Job, job_id), "overdue", now=now, detail=f"{name}: {reason}")
            log.error("delivery overdue", extra={"job": job_id, "destination": name, "reason": reason})
