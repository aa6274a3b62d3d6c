"""Jobs and audit as lines for people and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console

from db import audit, deliveries, jobs, results
from db.deliveries import Progress
from db.models import AuditEvent, Job, Result
from db.session import Sessions
from db.tampering import Verdict

Row = Mapping[str, Any]


def print_jobs(sessions: Sessions, screen: Console, *, as_json: bool) -> None:
    with sessions() as session:
        every = [(job, results.of_job(session, job)) for job in jobs.every(session)]
        progress = deliveries.progress(session)
    if as_json:
        rows = [_job_row(job, result, progress.get(job.id, [])) for job, result in every]
        screen.print_json(json.dumps(rows))
        return
    for job, result in every:
        screen.print(f"job {job.id}  {job.state}  since {job.changed_at:%Y-%m-%d %H:%M:%S}  {_found(result)}")
        screen.print(f"  study {job.study_instance_uid}, generation {job.generation}")
        if job.completeness:
            screen.print(f"  {job.completeness}" + (f": {job.missing}" if job.missing else ""))
        if job.reason:
            screen.print(f"  {job.reason}")
        for one in progress.get(job.id, []):
            screen.print(f"  {_progress_line(one)}")
    if not every:
        screen.print("no jobs yet")


def print_audit(sessions: Sessions, screen: Console, study: str | None, *, as_json: bool) -> None:
    with sessions() as session:
        every = audit.trail(session, study)
    if as_json:
        screen.print_json(json.dumps([_audit_row(event) for event in every]))
        return
    for event in every:
        whose = f"job {event.job_id}" if event.job_id is not None else "node "
        screen.print(f"{whose}  {event.at:%Y-%m-%d} {audit_line(event)}")
    if not every:
        screen.print("nothing has happened yet")


def print_verdict(verdict: Verdict, heads: int, screen: Console, *, as_json: bool) -> None:
    """What became of the audit trail: each row or run of rows that is at fault, then the sum.

    `heads`: how many exported ones it was held against.
    """
    if as_json:
        faults = [{"first": f.first, "last": f.last, "what": f.what} for f in verdict.faults]
        screen.print_json(json.dumps({"rows": verdict.rows, "exported_heads": heads, "faults": faults}))
        return
    for fault in verdict.faults:
        screen.print(str(fault), style="red")
    came_of_it = f"{len(verdict.faults)} faults" if verdict.faults else "whole and unchanged"
    screen.print(f"audit trail: {verdict.rows} rows, {heads} exported heads: {came_of_it}")


def audit_line(event: AuditEvent) -> str:
    """The time of day, the state reached if any, and what happened."""
    at = f"{event.at:%H:%M:%S}.{event.at.microsecond // 1000:03}"
    return f"{at}  {event.state_after or '':10}  {event.event}: {event.detail}"


def _found(result: Result | None) -> str:
    if result is None:
        return ""
    if result.probability is None:
        return f"no score ({result.slice_policy})"
    return f"{result.label} {result.probability:.3f} ({result.slice_policy})"


def _progress_line(progress: Progress) -> str:
    """Such as `pacs: 3 waiting, 4 sent; waiting for it since 10:12, next try 10:40: no connection`."""
    counts = ", ".join(f"{n} {state}" for state, n in sorted(progress.objects.items()))
    line = f"{progress.destination}: {counts}"
    if progress.waiting_since is not None and progress.next_attempt_at is not None:
        since, then = f"{progress.waiting_since:%Y-%m-%d %H:%M:%S}", f"{progress.next_attempt_at:%H:%M:%S}"
        line += f"; waiting for it since {since}, next try {then}"
    return line + (f": {progress.answer}" if progress.answer else "")


def _progress_row(progress: Progress) -> Row:
    return {
        "destination": progress.destination,
        "objects": {str(state): n for state, n in sorted(progress.objects.items())},
        "waiting_since": _instant(progress.waiting_since) if progress.waiting_since else None,
        "next_attempt_at": _instant(progress.next_attempt_at) if progress.next_attempt_at else None,
        "answer": progress.answer,
    }


def _job_row(job: Job, result: Result | None, progress: Sequence[Progress]) -> Row:
    return {
        "job": job.id,
        "study_instance_uid": job.study_instance_uid,
        "generation": job.generation,
        "state": job.state,
        "changed_at": _instant(job.changed_at),
        "series_instance_uid": job.series_instance_uid,
        "label": result.label if result else None,
        "probability": result.probability if result else None,
        "slice_policy": result.slice_policy if result else None,
        "attempts": job.attempts,
        "completeness": job.completeness,
        "missing": job.missing,
        "reason": job.reason,
        "withdrawal": job.withdrawal,
        "deliveries": [_progress_row(one) for one in progress],
    }


def _audit_row(event: AuditEvent) -> Row:
    return {
        "row": event.id,
        "at": _instant(event.at),
        "job": event.job_id,
        "study_instance_uid": event.study_instance_uid,
        "event": event.event,
        "before": event.state_before,
        "after": event.state_after,
        "detail": event.detail,
    }


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
