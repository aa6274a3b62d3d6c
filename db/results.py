"""Results as rows: nothing later has to read a DICOM file to know what was found."""

from sqlalchemy import exists, select, union

from db.models import Delivery, Job, Result, ResultObject
from db.session import Session


def of_job(session: Session, job: Job) -> Result | None:
    return session.get(Result, job.id)


def is_ours(session: Session, sop_instance_uid: str) -> bool:
    """Is this an object that we made, in any generation?"""
    return session.get(ResultObject, sop_instance_uid) is not None


def sent_before(session: Session, job: Job, sop_class_uid: str) -> ResultObject | None:
    """The newest object of this class in an earlier generation that was sent, or is to be, to anybody."""
    query = (
        select(ResultObject)
        .join(Job, Job.id == ResultObject.job_id)
        .where(Job.study_instance_uid == job.study_instance_uid, Job.generation < job.generation)
        .where(ResultObject.sop_class_uid == sop_class_uid)
        .where(exists().where(Delivery.sop_instance_uid == ResultObject.sop_instance_uid))
        .order_by(Job.generation.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def algorithms(session: Session) -> list[tuple[str, str, str]]:
    """Name, version and digest of every algorithm that a result of ours was made with."""
    classifiers = select(Result.classifier, Result.classifier_version, Result.classifier_digest)
    segmenters = select(Result.segmenter, Result.segmenter_version, Result.segmenter_digest)
    return [
        (name, version, digest) for name, version, digest in session.execute(union(classifiers, segmenters))
    ]
