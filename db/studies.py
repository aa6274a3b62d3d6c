"""What has become of every study: its standing results, for a report that reads no DICOM."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from db.models import Job, Result
from db.results import stands
from db.session import Session
from db.states import State


@dataclass(frozen=True)
class Study:
    study_instance_uid: str
    received_at: datetime  # when its first job was opened
    state: State  # of its newest job
    withdrawn: bool  # a job's results were
    results: tuple[Result, ...]  # that stand, newest first, with targets, slices and candidate


def received(session: Session, *, since: datetime | None, until: datetime | None) -> Sequence[Study]:
    """In the order in which they came first: from `since`, before `until`."""
    jobs: defaultdict[str, list[Job]] = defaultdict(list)
    for job in session.scalars(select(Job).order_by(Job.id)):
        jobs[job.study_instance_uid].append(job)
    found = _results(session)
    studies = (_study(of_study, found) for of_study in jobs.values())
    return [
        study
        for study in studies
        if (since is None or study.received_at >= since) and (until is None or study.received_at < until)
    ]


def _results(session: Session) -> dict[int, Result]:
    query = select(Result).join(Job, Result.job_id == Job.id).where(stands())
    parts = (selectinload(Result.targets), selectinload(Result.slices), selectinload(Result.candidate))
    return {result.job_id: result for result in session.scalars(query.options(*parts))}


def _study(jobs: Sequence[Job], found: dict[int, Result]) -> Study:
    by_generation = sorted(jobs, key=lambda job: job.generation, reverse=True)
    return Study(
        jobs[0].study_instance_uid,
        by_generation[-1].created_at,
        by_generation[0].state,
        any(job.withdrawal is not None for job in jobs),
        tuple(found[job.id] for job in by_generation if job.id in found),
    )
