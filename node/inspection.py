"""The check of a result before it leaves, and what becomes of a job whose objects fail it."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset

from config.settings import Storage
from db import deliveries, jobs, results
from db.models import Job
from db.session import Session
from db.states import Event
from dicom_out.finding import Finding
from dicom_out.validation import findings
from node.receive import ANNOTATION_CLASSES, CT_CLASSES


class ResultGone(Exception):
    """An object of a result is no longer in the outbox as it was made."""


def inspect(session: Session, job: Job, storage: Storage) -> tuple[Finding, ...]:
    """What is wrong with the objects of `job` as they lie in the outbox; nothing where there are none.

    Raises ResultGone, and OSError for a source that is no longer in the spool.
    """
    objects = list(_made(session, job, storage))
    if not objects:
        return ()
    inputs = jobs.inputs(session, job)
    sources, annotations = (
        [
            dcmread(storage.spool / i.path, stop_before_pixels=True)
            for i in inputs
            if i.sop_class_uid in classes
        ]
        for classes in (CT_CLASSES, ANNOTATION_CLASSES)
    )
    return findings(objects, sources, annotations)


def _made(session: Session, job: Job, storage: Storage) -> Iterator[Dataset]:
    result = results.of_job(session, job)
    for made in result.objects if result else ():
        try:
            content = (storage.outbox / made.path).read_bytes()
        except OSError as error:
            raise ResultGone(f"object {made.sop_instance_uid}: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != made.sha256:
            raise ResultGone(f"object {made.sop_instance_uid}: its file has changed since it was made")
        yield dcmread(BytesIO(content))


def withhold(session: Session, job: Job, found: Sequence[Finding], *, now: datetime) -> None:
    """Park every delivery of `job`: report and pictures refer to each other, so that none goes alone."""
    faulty = {finding.sop_instance_uid: finding for finding in reversed(found)}
    for delivery in deliveries.of_job(session, job):
        own = faulty.get(delivery.sop_instance_uid)
        answer = str(own) if own else f"withheld with the faulty object {found[0].sop_instance_uid}"
        deliveries.withheld(delivery, now=now, answer=answer)
    session.flush()
    reason = verdict(found)
    jobs.advance(session, job, Event.DELIVERY_REFUSED, now=now, detail=reason, reason=reason)


def verdict(found: Sequence[Finding]) -> str:
    """The findings in one sentence; empty where there is none."""
    if not found:
        return ""
    others = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"not sent, object {found[0].sop_instance_uid} fails the check: {found[0]}{others}"
