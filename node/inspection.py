"""The check of a result before it leaves, and what becomes of a job whose objects fail it."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset

from config.settings import Storage
from db import deliveries, jobs, results
from db.models import Job, ObjectRole, Result, ResultObject
from db.session import Session
from db.states import Event
from dicom_out.encode import write
from dicom_out.finding import Finding
from dicom_out.report_classes import CLASSES
from dicom_out.validation import findings
from node.classes import ANNOTATION_CLASSES, CT_CLASSES


class ResultGone(Exception):
    """An object of a result is no longer in the outbox as it was made."""


def inspect(session: Session, job: Job, storage: Storage) -> tuple[Finding, ...]:
    """What is wrong with the objects of `job` that are to leave, as they lie in the outbox; nothing where none is.

    Raises ResultGone, and OSError for a source that is no longer in the spool.
    """
    if job.withdrawal is not None:  # of what was withdrawn only the notes leave, which were judged when made
        read_all(session, job, ObjectRole.REJECTION, storage)
        return ()
    made = {
        role: read_all(session, job, role, storage) for role in (ObjectRole.RESULT, ObjectRole.OTHER_CLASS)
    }
    found = inspect_objects(session, job, made[ObjectRole.RESULT], storage)
    for report in made[ObjectRole.OTHER_CLASS]:
        found += inspect_report(session, job, report, storage)
    return found


def inspect_report(session: Session, job: Job, report: Dataset, storage: Storage) -> tuple[Finding, ...]:
    """What is wrong with `report` in the place of the report of `job`, of which it is another class."""
    others = [
        ds for ds in read_all(session, job, ObjectRole.RESULT, storage) if ds.SOPClassUID not in CLASSES
    ]
    found = inspect_objects(session, job, [*others, report], storage)
    return tuple(one for one in found if one.sop_instance_uid == report.SOPInstanceUID)


def inspect_objects(
    session: Session, job: Job, objects: Sequence[Dataset], storage: Storage
) -> tuple[Finding, ...]:
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


def read_all(session: Session, job: Job, role: ObjectRole, storage: Storage) -> list[Dataset]:
    """The objects of `job` of this role, in their order. Raises ResultGone."""
    result = results.of_job(session, job)
    return [read_made(made, storage) for made in (result.objects if result else ()) if made.role is role]


def read_made(made: ResultObject, storage: Storage) -> Dataset:
    """The object as it lies in the outbox. Raises ResultGone where it is not as it was made."""
    try:
        content = (storage.outbox / made.path).read_bytes()
    except OSError as error:
        raise ResultGone(f"object {made.sop_instance_uid}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != made.sha256:
        raise ResultGone(f"object {made.sop_instance_uid}: its file has changed since it was made")
    return dcmread(BytesIO(content))


def keep_made(session: Session, job: Job, ds: Dataset, role: ObjectRole, storage: Storage) -> ResultObject:
    """Write one more object of `job` into the outbox, and its row; one that is there already stays."""
    there = session.get(ResultObject, str(ds.SOPInstanceUID))
    if there is not None:
        return there
    folder = storage.outbox / job.study_instance_uid / str(job.generation)
    [path] = write([ds], folder)
    result = session.get_one(Result, job.id)
    made = ResultObject(
        sop_instance_uid=str(ds.SOPInstanceUID),
        job_id=job.id,
        role=role,
        rank=len(result.objects),
        sop_class_uid=str(ds.SOPClassUID),
        path=str(path.relative_to(storage.outbox)),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    result.objects.append(made)
    session.flush()
    return made


def withhold(session: Session, job: Job, found: Sequence[Finding], *, now: datetime) -> None:
    """Park every delivery of `job`: report and pictures refer to each other, so that none goes alone."""
    faulty = {finding.sop_instance_uid: finding for finding in reversed(found)}
    for delivery in deliveries.of_job(session, job):
        own = faulty.get(delivery.sop_instance_uid)
        answer = str(own) if own else f"withheld with the faulty object {found[0].sop_instance_uid}"
        deliveries.parked(delivery, now=now, answer=answer)
    session.flush()
    reason = verdict(found)
    jobs.advance(session, job, Event.DELIVERY_REFUSED, now=now, detail=reason, reason=reason)


def verdict(found: Sequence[Finding]) -> str:
    """The findings in one sentence; empty where there is none."""
    if not found:
        return ""
    others = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"not sent, object {found[0].sop_instance_uid} fails the check: {found[0]}{others}"
