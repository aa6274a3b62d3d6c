"""Asking destinations to commit to what they were sent, and taking their word for it only where they give it."""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from config.settings import Delivery as Rules
from config.settings import Destination as Recipient
from db import commitments, deliveries, jobs
from db.models import Commitment, CommitmentState, Delivery, DeliveryState, Job
from db.session import DatabaseUnusable, Session, Sessions, translated
from dicom_out.commitment import FOR_GOOD, BadReport, Item, Report, in_words, new_transaction_uid, read_report
from dicom_out.destination import Committer
from dicom_out.outcome import Outcome, SendResult
from node.retry import resend_after
from node.settling import settle
from node.status import EventStatus

log = logging.getLogger(__name__)


def ask_due(
    sessions: Sessions,
    to: Recipient,
    destination: Committer,
    rules: Rules,
    now: Callable[[], datetime],
) -> None:
    """Ask this destination for what it has stored and not committed to yet; each request is a new transaction."""
    transaction_uid, at = new_transaction_uid(), now()
    with sessions.begin() as session:
        due = deliveries.begin_requests(session, to.name, now=at)
        if not due:
            return
        commitments.ask(session, transaction_uid, to.name, due, now=at)
        for delivery in due:
            patience = max(
                timedelta(seconds=rules.commitment_answer_s), resend_after(rules, delivery.requests)
            )
            deliveries.asks_again(delivery, at=at + patience, answer="commitment asked")
    items = [Item(d.object.sop_class_uid, d.sop_instance_uid) for d in due]
    result = destination.request_commitment(
        items,
        transaction_uid,
        lambda event_type, information: hear(sessions, rules, event_type, information, to.name, now=now()),
        stay_s=rules.commitment_stay_s,
    )
    facts = {"destination": to.name, "transaction_uid": transaction_uid, "objects": len(due)}
    if result.outcome is Outcome.STORED:
        log.info("commitment asked", extra=facts)
        return
    log.warning("commitment request not taken", extra={**facts, "reason": result.answer})
    with sessions.begin() as session:
        _note_not_taken(session, transaction_uid, result, rules, now=now())


def _note_not_taken(
    session: Session, transaction_uid: str, result: SendResult, rules: Rules, *, now: datetime
) -> None:
    """A destination that does not do storage commitment at all needs a person; every other reason passes."""
    commitment = commitments.find(session, transaction_uid)
    if commitment is None:
        return
    locked, asked = _locked(session, commitment)
    commitments.not_taken(commitment, answer=result.answer)
    for delivery in asked:
        if delivery.state is not DeliveryState.UNCONFIRMED:
            continue
        if result.outcome is Outcome.CLASS_REFUSED:
            answer = "it takes no storage commitment; see commitment in its configuration"
            deliveries.parked(delivery, now=now, answer=answer)
        else:
            wait = resend_after(rules, delivery.requests)
            deliveries.asks_again(delivery, at=now + wait, answer=f"commitment not asked: {result.answer}")
    settle(session, locked, now=now)


def forgo(sessions: Sessions, names: Collection[str], *, now: datetime) -> None:
    """What these destinations have stored is delivered: by their configuration they commit to nothing any more."""
    with sessions.begin() as session:
        stored = deliveries.unconfirmed(session, names)
        locked = jobs.locked(session, {d.job_id for d in stored})
        for delivery in stored:
            deliveries.arrived(
                delivery, commitment=False, now=now, answer="commitment is no longer asked for"
            )
        settle(session, locked, now=now)


def hear(
    sessions: Sessions,
    rules: Rules,
    event_type: int | None,
    information: Dataset,
    sender: str,
    *,
    now: datetime,
) -> EventStatus:
    """Take in an N-EVENT-REPORT of `sender`; what is not of a request of ours changes nothing."""
    try:
        report = read_report(event_type, information)
        with translated(), sessions.begin() as session:
            return _take_in(session, report, rules, sender, now=now)
    except BadReport as error:
        log.warning("commitment report not understood", extra={"sender": sender, "reason": str(error)})
        return EventStatus.INVALID_ARGUMENT
    except DatabaseUnusable as error:
        log.error("commitment report not kept", extra={"sender": sender, "reason": str(error)})
        return EventStatus.PROCESSING_FAILURE


def _take_in(session: Session, report: Report, rules: Rules, sender: str, *, now: datetime) -> EventStatus:
    facts = {"sender": sender, "transaction_uid": report.transaction_uid}
    commitment = commitments.find(session, report.transaction_uid)
    if commitment is None:
        log.warning("commitment report of an unknown transaction", extra=facts)
        return EventStatus.INVALID_ARGUMENT
    locked, asked = _locked(session, commitment)
    if commitment.state is CommitmentState.ANSWERED:
        log.warning("commitment reported a second time", extra=facts)
        return EventStatus.SUCCESS
    overtaken = commitments.overtaken(session, commitment)
    for delivery in asked:
        if delivery.state is DeliveryState.UNCONFIRMED and delivery.id not in overtaken:
            _judge(delivery, report, rules, now=now)
    items = {_item(d) for d in asked}
    strange = (report.committed | report.failed.keys()) - items
    kept = len(items & report.committed)
    answer = f"{kept} of {len(items)} committed, {len(strange)} that were not asked for"
    commitments.answered(commitment, now=now, answer=answer)
    level = logging.INFO if kept == len(items) and not strange else logging.WARNING
    log.log(level, "commitment reported", extra={**facts, "answer": answer})
    settle(session, locked, now=now)
    return EventStatus.SUCCESS


def _locked(session: Session, commitment: Commitment) -> tuple[Sequence[Job], Sequence[Delivery]]:
    """The jobs and deliveries that a request was about, and then it: everybody locks in this order."""
    asked = commitments.deliveries_of(session, commitment)
    locked = jobs.locked(session, {d.job_id for d in asked})
    current = list(deliveries.now_of(session, [d.id for d in asked]).values())
    commitments.lock(session, commitment)
    return locked, current


def _judge(delivery: Delivery, report: Report, rules: Rules, *, now: datetime) -> None:
    item = _item(delivery)
    reason = report.failed.get(item)
    if reason is not None and reason in FOR_GOOD:
        deliveries.parked(delivery, now=now, answer=in_words(reason))
    elif reason is not None:
        wait = resend_after(rules, delivery.requests)
        deliveries.waits(delivery, until=now + wait, answer=in_words(reason))
    elif item in report.committed:
        deliveries.committed(delivery, now=now, answer="committed")
    else:
        wait = resend_after(rules, delivery.requests)
        deliveries.asks_again(delivery, at=now + wait, answer="the report does not name it")


def _item(delivery: Delivery) -> Item:
    return Item(delivery.object.sop_class_uid, delivery.sop_instance_uid)
