"""What nodules turned out to be: statements that are added and replaced, and never deleted."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select

from db.models import Job, Result, Truth
from db.session import Session


@dataclass(frozen=True, kw_only=True)
class Statement:
    """Of one study; what is not known is None."""

    study_instance_uid: str
    label: str  # PIMA or IPN
    confirmed_by: str
    confirmed_on: str | None = None  # yyyy-mm-dd
    size_mm: float | None = None
    lobe: str | None = None
    hard: bool | None = None


def standing(session: Session) -> Mapping[str, Truth]:
    """By Study Instance UID."""
    query = select(Truth).where(Truth.replaced_at.is_(None))
    return {truth.study_instance_uid: truth for truth in session.scalars(query)}


def says(truth: Truth) -> Statement:
    return Statement(
        study_instance_uid=truth.study_instance_uid,
        label=truth.label,
        confirmed_by=truth.confirmed_by,
        confirmed_on=truth.confirmed_on,
        size_mm=truth.size_mm,
        lobe=truth.lobe,
        hard=truth.hard,
    )


def state(session: Session, statement: Statement, *, instead_of: Truth | None, now: datetime) -> None:
    """Add the statement; the one that it replaces stays, with the instant of its end."""
    if instead_of is not None:
        instead_of.replaced_at = now
        session.flush()  # before the other: one of a study stands
    session.add(Truth(**asdict(statement), imported_at=now))


def known_studies(session: Session) -> set[str]:
    """Studies that the node has received images of."""
    return set(session.scalars(select(Job.study_instance_uid).distinct()))


def studies_with_results(session: Session) -> set[str]:
    query = select(Job.study_instance_uid).join(Result, Result.job_id == Job.id)
    return set(session.scalars(query.distinct()))
