"""Results as rows: nothing later has to read a DICOM file to know what was found."""

from db.models import Job, Result, ResultObject
from db.session import Session


def of_job(session: Session, job: Job) -> Result | None:
    return session.get(Result, job.id)


def is_ours(session: Session, sop_instance_uid: str) -> bool:
    """Is this an object that we made, in any generation?"""
    return session.get(ResultObject, sop_instance_uid) is not None
