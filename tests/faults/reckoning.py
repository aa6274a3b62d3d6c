"""What is missing or there twice at the end: three numbers that have to be zero, and a sentence for each fault."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from config.settings import Settings
from db import audit, deliveries, instances, jobs, results, retention
from db.models import Instance, Job, ResultObject
from db.retention import OVER
from db.session import Session, Sessions
from db.states import SETTLED, State
from db.tampering import verify
from node.audit_heads import exported_heads
from node.audit_key import key_file, read_key
from node.reconcile import LOST
from tests.faults.load import Study, same_object

GIVEN_WAY = (State.SUPERSEDED, State.REJECTED)
"""A generation that gave way to another, or had nothing new."""


@dataclass(frozen=True)
class Toll:
    images_lost: tuple[str, ...] = ()
    results_lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    audit_faults: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.images_lost + self.results_lost + self.doubled + self.audit_faults


def reckon(
    sessions: Sessions,
    settings: Settings,
    studies: Sequence[Study],
    acknowledged: Collection[str],
    held: Mapping[str, Collection[str]],
    *,
    images_go: bool = False,
) -> Toll:
    """Compare what was acknowledged with what is kept, and what was found with what the PACS holds.

    Where `images_go`, retention may have deleted images of studies that are over.
    """
    images = {uid: path for study in studies for uid, path in study.sent_last.items()}
    spool = settings.storage.spool
    with sessions() as session:
        lost = [
            f"image {uid}: {why}"
            for uid in sorted(acknowledged)
            if (why := _why_lost(session, uid, images.get(uid), spool, images_go=images_go))
        ]
        lost += [f"{row.event}: {row.detail}" for row in audit.trail(session) if row.event == LOST]
        every = jobs.every(session)
        missing = [why for study in studies for why in _missing(session, study, every, acknowledged, held)]
        doubled = [*_doubled(session, every, held)]
    verdict = verify(sessions, read_key(key_file(settings)), exported_heads(settings.audit_head_file))
    faults = tuple(str(fault) for fault in verdict.faults)
    return Toll(tuple(lost), tuple(missing), tuple(doubled), faults)


def _why_lost(session: Session, uid: str, sent: Path | None, spool: Path, *, images_go: bool) -> str:
    row = instances.known(session, uid)
    if row is None:
        return "no row"
    if sent is None:
        return "rubbish was acknowledged"
    if images_go and row.deleted_at is not None:
        return _why_badly_deleted(session, row, spool)
    return "" if same_object(spool / row.path, sent) else "its file is not what was sent last"


def _why_badly_deleted(session: Session, row: Instance, spool: Path) -> str:
    states = session.scalars(select(Job.state).where(Job.study_instance_uid == row.study_instance_uid)).all()
    if not OVER.issuperset(states):
        return f"deleted, and the jobs of its study are {[str(state) for state in states]}"
    files = [row.path, *retention.former_files(session, [row])]
    left = [path for path in files if (spool / path).exists()]
    return f"deleted, and left behind are {left}" if left else ""


def _missing(
    session: Session,
    study: Study,
    every: Sequence[Job],
    acknowledged: Collection[str],
    held: Mapping[str, Collection[str]],
) -> list[str]:
    """What is missing of the newest result of a study."""
    if unanswered := len(study.images.keys() - acknowledged):
        return [f"study {study.uid}: {unanswered} images were never acknowledged"]
    own = [job for job in every if job.study_instance_uid == study.uid]
    standing = [job for job in own if job.state not in GIVEN_WAY]
    if not standing:
        return [f"study {study.uid}: no job of {[str(job.state) for job in own]} has a result"]
    newest = standing[-1]
    found = [f"job {job.id} is {job.state}: {job.reason}" for job in standing if job.state is not State.DONE]
    if {i.sop_instance_uid for i in jobs.inputs(session, newest)} != study.images.keys():
        found.append(f"job {newest.id} does not analyse every image")
    for job in standing:
        sent = {d.sop_instance_uid for d in deliveries.of_job(session, job)}
        if job.state is State.DONE and not sent:
            found.append(f"job {job.id} has no deliveries")
        found += [f"object {uid} of job {job.id} is not at the PACS" for uid in sorted(sent - held.keys())]
    return found


def _doubled(session: Session, every: Sequence[Job], held: Mapping[str, Collection[str]]) -> list[str]:
    """Objects under one UID with two contents, or of no result: made twice for the same input."""
    found = [
        f"object {uid} came with {len(contents)} contents"
        for uid, contents in held.items()
        if len(contents) > 1
    ]
    found += [f"object {uid} is of no result" for uid in held if session.get(ResultObject, uid) is None]
    by_input: dict[frozenset[str], list[int]] = defaultdict(list)
    for job in every:
        if results.of_job(session, job) is not None:
            by_input[frozenset(i.sop_instance_uid for i in jobs.inputs(session, job))].append(job.id)
    return found + [f"jobs {twice} have the same input" for twice in by_input.values() if len(twice) > 1]


def all_settled(session: Session, studies: Collection[str]) -> bool:
    """Has every study a job, and is none on its way?"""
    states = session.execute(select(Job.study_instance_uid, Job.state)).all()
    return {uid for uid, _ in states} >= set(studies) and all(state in SETTLED for _, state in states)


def outstanding(session: Session) -> int:
    """Jobs that are on their way."""
    return sum(state not in SETTLED for state in session.scalars(select(Job.state)))
