"""The figures of a node for its metrics: counted in one short transaction that only reads.

What grows without end is read from an index, or is the number of the newest row, and not counted row by row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from db.deliveries import ON_THEIR_WAY
from db.models import (
    AuditExport,
    AuditHead,
    CandidateScore,
    Commitment,
    CommitmentState,
    Delivery,
    Instance,
    Job,
    Quarantined,
    Refusal,
    Result,
)
from db.session import Session, Sessions, only_read
from db.states import State

SECONDS = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""The upper bounds of the classes that analyses are counted in."""


@dataclass(frozen=True)
class Backlog:
    objects: int
    opened_at: datetime  # of the oldest


@dataclass(frozen=True)
class Durations:
    """Of analyses whose results are stored."""

    count: int
    seconds: float
    within: Mapping[float, int]  # how many took no longer, by bound


@dataclass(frozen=True)
class Figures:
    jobs: Mapping[State, int]  # every state, also with none
    oldest_queued_at: datetime | None
    leases: int  # jobs with a worker that is not silent
    images_received: int
    images_refused: Mapping[int, int]  # by the status that was answered
    images_on_disk_bytes: int
    analyses: Durations
    candidate_failures: int  # analyses whose candidate gave no number
    backlog: Mapping[str, Backlog]  # by destination
    open_commitments: Mapping[str, int]  # by destination
    quarantined: int
    audit_rows: int
    audit_rows_exported: int


def figures(sessions: Sessions, *, now: datetime) -> Figures:
    with sessions() as session:
        only_read(session)
        jobs = dict.fromkeys(State, 0)
        for state, count in session.execute(select(Job.state, func.count()).group_by(Job.state)):
            jobs[state] = count
        of_state = select(func.min(Job.changed_at)).where(Job.state == State.QUEUED)
        leased = select(func.count()).where(Job.state == State.RUNNING, Job.lease_until >= now)
        on_disk = select(func.sum(Instance.size_bytes)).where(Instance.deleted_at.is_(None))
        failed = select(func.count(CandidateScore.job_id)).where(CandidateScore.probability.is_(None))
        refused = session.execute(select(Refusal.status, Refusal.times).order_by(Refusal.status))
        return Figures(
            jobs=jobs,
            oldest_queued_at=session.scalar(of_state),
            leases=session.scalars(leased).one(),
            images_received=session.scalar(select(func.max(Instance.id))) or 0,
            images_refused=dict(refused.all()),
            images_on_disk_bytes=int(session.scalar(on_disk) or 0),
            analyses=_durations(session),
            candidate_failures=session.scalars(failed).one(),
            backlog=_backlog(session),
            open_commitments=_open_commitments(session),
            quarantined=session.scalars(select(func.count()).select_from(Quarantined)).one(),
            audit_rows=session.scalar(select(AuditHead.row_id)) or 0,
            audit_rows_exported=session.scalar(select(AuditExport.row_id)) or 0,
        )


def _durations(session: Session) -> Durations:
    counts = [func.count().filter(Result.seconds <= bound) for bound in SECONDS]
    query = select(func.count(), func.coalesce(func.sum(Result.seconds), 0.0), *counts).select_from(Result)
    count, seconds, *within = session.execute(query).one()
    return Durations(count, float(seconds), dict(zip(SECONDS, within, strict=True)))


def _backlog(session: Session) -> dict[str, Backlog]:
    query = select(Delivery.destination, func.count(), func.min(Delivery.opened_at))
    found = session.execute(query.where(Delivery.state.in_(ON_THEIR_WAY)).group_by(Delivery.destination))
    return {destination: Backlog(count, oldest) for destination, count, oldest in found}


def _open_commitments(session: Session) -> dict[str, int]:
    query = select(Commitment.destination, func.count()).where(Commitment.state == CommitmentState.ASKED)
    return dict(session.execute(query.group_by(Commitment.destination)).all())
