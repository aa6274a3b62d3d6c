"""`sedas-node withdraw`: declare results void wherever they went, by rejection notes that are delivered like results."""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version

from config.settings import Settings
from db import deliveries, jobs, results
from db.models import Delivery, DeliveryState, Job, ObjectRole
from db.session import Session, Sessions
from db.states import Event, IllegalTransition
from dicom_out.rejection import Reason, rejection_note
from dicom_out.validation import note_findings
from node.inspection import ResultGone, keep_made, read_made, verdict
from node.interventions import CannotIntervene
from node.naming import name_of
from node.settling import settle


def withdraw_study(
    sessions: Sessions, study_instance_uid: str, reason: Reason, settings: Settings, *, now: datetime
) -> list[int]:
    """Withdraw the results of every generation of the study; the numbers of the jobs whose results they were."""
    with sessions() as session:
        found = results.jobs_of_study(session, study_instance_uid)
    if not found:
        raise CannotIntervene(f"study {study_instance_uid}: there are no results to withdraw")
    return _withdraw_all(sessions, found, reason, settings, now=now)


def withdraw_model(
    sessions: Sessions, digest: str, reason: Reason, settings: Settings, *, now: datetime
) -> list[int]:
    """Withdraw every result that a model (classifier or segmenter) made, named by its digest or 12 first digits."""
    if not re.fullmatch(r"[0-9a-f]{12,64}", digest):
        raise CannotIntervene(f"model {digest!r}: expected 12 to 64 hexadecimal digits of its digest")
    with sessions() as session:
        found = results.jobs_of_model(session, digest)
    if not found:
        raise CannotIntervene(f"model {digest}: there are no results of it to withdraw")
    return _withdraw_all(sessions, found, reason, settings, now=now)


def _withdraw_all(
    sessions: Sessions, found: Sequence[Job], reason: Reason, settings: Settings, *, now: datetime
) -> list[int]:
    """Each job in a transaction of its own: a model may have made thousands, and the node goes on meanwhile."""
    withdrawn: list[int] = []
    failures: list[CannotIntervene] = []
    for number in (job.id for job in found):
        try:
            with sessions.begin() as session:
                for job in jobs.locked(session, [number]):
                    withdraw(session, job, reason, settings, now=now)
            withdrawn.append(number)
        except CannotIntervene as failure:
            failures.append(failure)
    if failures:
        raise CannotIntervene(
            f"{len(withdrawn)} of {len(found)} jobs are withdrawn; " + "; ".join(map(str, failures))
        )
    return withdrawn


def withdraw(session: Session, job: Job, reason: Reason, settings: Settings, *, now: datetime) -> None:
    """Stop what of `job` is still to be sent, and send each destination a note on what it may hold."""
    if job.withdrawal is not None:
        raise CannotIntervene(f"job {job.id} is withdrawn already")
    every = deliveries.of_job(session, job)
    held: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in every:
        if deliveries.may_be_there(delivery):
            held[delivery.destination].append(delivery)
        if delivery.state is DeliveryState.WAITING:
            deliveries.cancelled(delivery, now=now, answer="withdrawn before it was known to be there")
        elif delivery.state is DeliveryState.UNCONFIRMED:
            answer = "withdrawn before the destination committed to it"
            deliveries.arrived(delivery, commitment=False, now=now, answer=answer)
    detail = f"{reason.document_title.meaning}: " + (", ".join(sorted(held)) or "nothing had left")
    try:
        jobs.advance(
            session, job, Event.WITHDRAWAL_ASKED, now=now, detail=detail, withdrawal=reason.value, reason=""
        )
    except IllegalTransition:
        raise CannotIntervene(f"job {job.id} is {job.state}; it has no results to withdraw") from None
    for destination, deliveries_there in held.items():
        _send_note(session, job, destination, deliveries_there, reason, settings, now=now)
    settle(session, [job], now=now)


def _send_note(
    session: Session,
    job: Job,
    destination: str,
    there: Sequence[Delivery],
    reason: Reason,
    settings: Settings,
    *,
    now: datetime,
) -> None:
    """Destinations that hold the same objects get the same note: it is named by what it says."""
    try:
        objects = [read_made(delivery.object, settings.storage) for delivery in there]
    except ResultGone as gone:
        raise CannotIntervene(f"job {job.id} cannot be withdrawn: {gone}") from gone
    note = rejection_note(objects, reason, name_of(session, job), now, version("sedas-node"))
    if found := note_findings(note, objects):
        raise CannotIntervene(f"job {job.id}: {verdict(found)}")
    made = keep_made(session, job, note, ObjectRole.REJECTION, settings.storage)
    deliveries.open_all(session, job, [made], [destination], now=now)
