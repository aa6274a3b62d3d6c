"""From a received study to a job: complete, eligible, one series chosen; or rejected with the reason."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from config.settings import Completion, Settings
from db import audit, instances, jobs, results
from db.models import Instance, Job
from db.session import Session, Sessions, installation_id
from db.states import Event, State
from inference.findings import AlgorithmIdentity
from node.annotations import Judgement, Rules, judge, our_devices
from node.archive import Archive
from node.choice import Decision, Finding, decide
from node.classes import ANNOTATION_CLASSES, CT_CLASSES
from node.completion import Verdict, is_settled, verdict
from node.eligibility import why_not_image
from node.gaps import gaps
from node.headers import Header, NotDicom, read_header

log = logging.getLogger(__name__)


def consider_studies(
    sessions: Sessions,
    settings: Settings,
    archive: Archive | None = None,
    *,
    model_thickness_mm: float,
    now: datetime,
) -> None:
    """Decide about every study that is complete, or has been waited for long enough, by `now`."""
    archive = archive or Archive()
    settled = _settled_studies(sessions, settings.completion, now=now)
    archive.forget_others({study[0].study_instance_uid for _, study, _ in settled})
    for job_id, study, last in settled:
        received = Counter(i.series_instance_uid for i in study if i.sop_class_uid in CT_CLASSES)
        uid = study[0].study_instance_uid
        archived = archive.of_study(uid, received, now=now)
        known = verdict(settings.completion, received, archived, archive.gaps(uid, received))
        if not known.starts(last, now):
            continue
        wanted = [i for i in study if i.sop_class_uid in CT_CLASSES | ANNOTATION_CLASSES]
        try:
            headers, unreadable = _read(wanted, settings.storage.spool)
            judgement = _judge(sessions, headers, settings)
        except OSError as error:
            log.error("spool unreadable", extra={"job": job_id, "reason": error.strerror})
            continue  # the next tick looks again
        images = [h for h in headers if h.sop_class_uid in CT_CLASSES]
        archive.note_gaps(
            uid, received, gaps(h for h in images if why_not_image(h, settings.eligibility) is None)
        )
        known = verdict(settings.completion, received, archived, archive.gaps(uid, received))
        if not known.starts(last, now):
            continue
        kept = [h for h in images if h.sop_instance_uid not in judgement.withdrawn]
        decision = decide(
            kept, settings.eligibility, model_thickness_mm=model_thickness_mm, marked=judgement.series
        )
        if images and not kept:
            decision = Decision((), f"all {len(images)} images are withdrawn by a rejection note", ())
        _settle(sessions, job_id, study, decision, judgement, unreadable, known, now=now)


def _settled_studies(
    sessions: Sessions, rules: Completion, *, now: datetime
) -> list[tuple[int, Sequence[Instance], datetime]]:
    """The jobs whose study is worth a look, each with all that was received and when the last came."""
    settled = []
    with sessions() as session:
        for job in jobs.in_state(session, State.RECEIVING):
            last = instances.last_received_at(session, job.study_instance_uid)
            if last is not None and is_settled(
                rules, last_received_at=last, released_at=job.released_at, now=now
            ):
                settled.append((job.id, instances.of_study(session, job.study_instance_uid), last))
    return settled


def _judge(sessions: Sessions, headers: Sequence[Header], settings: Settings) -> Judgement:
    """Which annotations of the study count."""
    with sessions() as session:
        made_with = [AlgorithmIdentity(*algorithm) for algorithm in results.algorithms(session)]
        ours = our_devices(installation_id(session), made_with)
    rules = Rules(
        patients=frozenset(h.patient_key for h in headers if h.sop_class_uid in CT_CLASSES),
        our_devices=ours,
        algorithms=settings.inference.algorithm_annotations,
    )
    return judge([h for h in headers if h.sop_class_uid in ANNOTATION_CLASSES], rules)


def _read(objects: Sequence[Instance], spool: Path) -> tuple[list[Header], list[Finding]]:
    headers, unreadable = [], []
    for instance in objects:
        what = "image" if instance.sop_class_uid in CT_CLASSES else "annotation"
        try:
            headers.append(read_header(spool / instance.path))
        except NotDicom as error:
            unreadable.append(Finding(f"{what} dropped", f"{what} {instance.sop_instance_uid}: {error}"))
        except FileNotFoundError:
            why_not = "its file is not on disk"
            unreadable.append(Finding(f"{what} dropped", f"{what} {instance.sop_instance_uid}: {why_not}"))
    return headers, unreadable


def _settle(
    sessions: Sessions,
    job_id: int,
    study: Sequence[Instance],
    decision: Decision,
    judgement: Judgement,
    unreadable: Sequence[Finding],
    known: Verdict,
    *,
    now: datetime,
) -> None:
    uid = study[0].study_instance_uid
    with sessions.begin() as session:
        [job] = jobs.locked(session, [job_id])
        if job.state is not State.RECEIVING or _contents(instances.of_study(session, uid)) != _contents(
            study
        ):
            return  # an image came, or was revised, while we looked; the next tick looks again
        job.completeness, job.missing = known.completeness, known.missing
        audit.note(session, job, "completeness", now=now, detail=known.in_words)
        for finding in (*unreadable, *judgement.findings, *decision.findings):
            audit.note(session, job, finding.event, now=now, detail=finding.detail)
        slices = frozenset(h.sop_instance_uid for h in decision.slices)
        chosen = [i for i in study if i.sop_instance_uid in slices | judgement.counting]
        if not slices:
            _reject(session, job, decision.reason, now=now)
        elif former := _analysed_before(session, job, chosen):
            _reject(session, job, f"nothing new to analyse since generation {former.generation}", now=now)
        else:
            jobs.set_inputs(session, job, chosen)
            jobs.advance(
                session,
                job,
                Event.STUDY_COMPLETE,
                now=now,
                detail=f"{len(slices)} slices of series {decision.series_instance_uid}, "
                f"{len(judgement.counting)} annotations",
                series_instance_uid=decision.series_instance_uid,
                completed_at=now,
                reason="",
            )
    log.info(
        "study considered",
        extra={"study_instance_uid": uid, "reason": decision.reason, "completeness": known.completeness},
    )


def _contents(study: Sequence[Instance]) -> set[tuple[int, str]]:
    return {(instance.id, instance.sha256) for instance in study}


def _reject(session: Session, job: Job, reason: str, *, now: datetime) -> None:
    jobs.advance(session, job, Event.NOT_ELIGIBLE, now=now, detail=reason, reason=reason)


def _analysed_before(session: Session, job: Job, chosen: Sequence[Instance]) -> Job | None:
    """The generation before, if it analyses or has analysed the very same images and annotations."""
    former = jobs.generation_before(session, job)
    if former is None or former.state in (State.FAILED, State.REJECTED, State.SUPERSEDED):
        return None
    return former if jobs.analyses(session, former, chosen) else None
