"""Received objects: added once each, found by study."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from db.models import Instance
from db.session import Session


class AlreadyKnown(Exception):
    """An object with this SOP Instance UID was added meanwhile."""


def add(session: Session, instance: Instance) -> None:
    session.add(instance)
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyKnown(instance.sop_instance_uid) from error


def known(session: Session, sop_instance_uid: str) -> Instance | None:
    query = select(Instance).where(Instance.sop_instance_uid == sop_instance_uid)
    return session.scalars(query).one_or_none()


def of_study(session: Session, study_instance_uid: str) -> Sequence[Instance]:
    query = select(Instance).where(Instance.study_instance_uid == study_instance_uid)
    return session.scalars(query.order_by(Instance.id)).all()


def last_received_from(session: Session, calling_ae_titles: Collection[str]) -> datetime | None:
    """When the last object came from one of these senders."""
    query = select(func.max(Instance.received_at)).where(Instance.calling_ae_title.in_(calling_ae_titles))
    return session.scalars(query).one()


def last_received_at(session: Session, study_instance_uid: str) -> datetime | None:
    query = select(func.max(Instance.received_at)).where(Instance.study_instance_uid == study_instance_uid)
    return session.scalars(query).one()
