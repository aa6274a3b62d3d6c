"""Results as rows: nothing later has to read a DICOM file to know what was found."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, and_, exists, or_, select, union

from db.models import Delivery, DeliveryState, Job, Result, ResultObject
from db.session import Session
from db.states import State


def of_job(session: Session, job: Job) -> Result | None:
    return session.get(Result, job.id)


def jobs_of_study(session: Session, study_instance_uid: str) -> Sequence[Job]:
    """The jobs of the study whose results stand: not superseded, not withdrawn."""
    return _standing(session, Job.study_instance_uid == study_instance_uid)


def jobs_of_model(session: Session, digest: str) -> Sequence[Job]:
    """The jobs whose results stand and were made by a model whose digest begins like this."""
    made = (Result.classifier_digest, Result.segmenter_digest)
    return _standing(session, or_(*(column.startswith(digest, autoescape=True) for column in made)))


def stands() -> ColumnElement[bool]:
    """Of a job with a result: it is neither superseded nor withdrawn."""
    gone = (State.SUPERSEDED, State.WITHDRAWING, State.WITHDRAWN)
    return and_(Job.state.not_in(gone), Job.withdrawal.is_(None))


def _standing(session: Session, those: ColumnElement[bool]) -> Sequence[Job]:
    query = select(Job).join(Result, Result.job_id == Job.id).where(those, stands())
    return session.scalars(query.order_by(Job.id)).all()


def sent_before(session: Session, job: Job, sop_classes: Collection[str]) -> ResultObject | None:
    """The newest object of these classes in an earlier generation that somebody has, or is to get, and that stands."""
    query = (
        select(ResultObject)
        .join(Job, Job.id == ResultObject.job_id)
        .where(Job.study_instance_uid == job.study_instance_uid, Job.generation < job.generation)
        .where(ResultObject.sop_class_uid.in_(sop_classes), Job.withdrawal.is_(None))
        .where(
            exists().where(
                Delivery.sop_instance_uid == ResultObject.sop_instance_uid,
                Delivery.state != DeliveryState.REPLACED,
            )
        )
        .order_by(Job.generation.desc(), ResultObject.rank)
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
