"""Jobs and audit as tables for people and as JSON for programs."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from db import audit, jobs, results
from db.models import Job
from db.session import Session, Sessions

Row = Mapping[str, Any]


def print_jobs(sessions: Sessions, screen: Console, *, as_json: bool) -> None:
    with sessions() as session:
        rows = [_job_row(session, job) for job in jobs.every(session)]
    _print(rows, screen, "no jobs yet", as_json=as_json)


def print_audit(sessions: Sessions, screen: Console, study: str | None, *, as_json: bool) -> None:
    with sessions() as session:
        rows = [
            {
                "at": _instant(event.at),
                "job": job.id,
                "study_instance_uid": job.study_instance_uid,
                "event": event.event,
                "before": event.state_before,
                "after": event.state_after,
                "detail": event.detail,
            }
            for event, job in audit.trail(session, study)
        ]
    _print(rows, screen, "nothing has happened yet", as_json=as_json)


def _job_row(session: Session, job: Job) -> Row:
    result = results.of_job(session, job)
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
        "reason": job.reason,
    }


def _print(rows: Iterable[Row], screen: Console, nothing: str, *, as_json: bool) -> None:
    every = list(rows)
    if as_json:
        screen.print_json(json.dumps(every))
    elif not every:
        screen.print(nothing)
    else:
        table = Table(*(Column(name, overflow="fold") for name in every[0]))
        for row in every:
            table.add_row(*(_text(value) for value in row.values()))
        screen.print(table)


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
