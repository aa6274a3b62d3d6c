"""A report that a destination does not take in its SOP class goes there with the same content in the next one."""

import logging
from datetime import datetime
from itertools import pairwise

from config.settings import Storage
from db import deliveries
from db.models import Delivery, Job, ObjectRole
from db.session import Session
from dicom_out.report_classes import CLASSES, in_class
from node.inspection import ResultGone, inspect_report, keep_made, read_made, verdict
from node.naming import name_of

log = logging.getLogger(__name__)

NEXT: dict[str, str] = dict(pairwise(CLASSES))


def open_in_other_class(session: Session, delivery: Delivery, storage: Storage, *, now: datetime) -> bool:
    """Open a delivery of the same report in the next class; False where there is none that may be sent."""
    sop_class = NEXT.get(delivery.object.sop_class_uid)
    if sop_class is None:
        return False
    job = session.get_one(Job, delivery.job_id)
    try:
        report = in_class(read_made(delivery.object, storage), sop_class, name_of(session, job))
        reason = verdict(inspect_report(session, job, report, storage))
    except (ResultGone, OSError) as error:
        reason = str(error)
    if reason:
        log.error("report not written as another class", extra={"job": job.id, "reason": reason})
        return False
    made = keep_made(session, job, report, ObjectRole.OTHER_CLASS, storage)
    deliveries.open_all(session, job, [made], [delivery.destination], now=now)
    return True
