"""What the commands print of jobs and audit."""

import json
from collections.abc import Callable
from datetime import datetime
from io import StringIO

from rich.console import Console

from db import jobs
from db.session import Sessions
from db.states import Event
from node.listing import print_audit, print_jobs


def _printed(show: Callable[[Console], None]) -> str:
    paper = StringIO()
    show(Console(file=paper, markup=False, soft_wrap=True, width=80))
    return paper.getvalue()


def _reject(sessions: Sessions, now: datetime, reason: str) -> None:
    with sessions.begin() as session:
        job = jobs.image_arrived(session, "1.2.840.1", now=now)
        jobs.advance(session, job, Event.NOT_ELIGIBLE, now=now, detail=reason, reason=reason)


def test_a_job_is_printed_with_its_study_state_and_reason_whole(sessions: Sessions, now: datetime) -> None:
    reason = "a reason in [/brackets] " + "that is long " * 20
    _reject(sessions, now, reason)
    printed = _printed(lambda screen: print_jobs(sessions, screen, as_json=False))
    for text in ("job 1", "REJECTED", "1.2.840.1", reason.strip()):
        assert text in printed
    assert reason.strip() in _printed(lambda screen: print_audit(sessions, screen, None, as_json=False))


def test_a_verdict_is_listed_with_what_is_missing(sessions: Sessions, now: datetime) -> None:
    with sessions.begin() as session:
        job = jobs.image_arrived(session, "1.2.840.1", now=now)
        job.completeness, job.missing = "incomplete", "study incomplete: series 1.2"
    printed = _printed(lambda screen: print_jobs(sessions, screen, as_json=False))
    assert "incomplete: study incomplete: series 1.2" in printed
    (row,) = json.loads(_printed(lambda screen: print_jobs(sessions, screen, as_json=True)))
    assert (row["completeness"], row["missing"]) == ("incomplete", "study incomplete: series 1.2")


def test_json_is_json(sessions: Sessions, now: datetime) -> None:
    _reject(sessions, now, "a [/reason]")
    (job,) = json.loads(_printed(lambda screen: print_jobs(sessions, screen, as_json=True)))
    assert (job["state"], job["reason"], job["probability"]) == ("REJECTED", "a [/reason]", None)
    events = json.loads(_printed(lambda screen: print_audit(sessions, screen, "1.2.840.1", as_json=True)))
    assert [e["after"] for e in events] == ["RECEIVING", "REJECTED"]
    assert json.loads(_printed(lambda screen: print_audit(sessions, screen, "9.9", as_json=True))) == []


def test_nothing_is_said_in_words(sessions: Sessions) -> None:
    assert _printed(lambda screen: print_jobs(sessions, screen, as_json=False)) == "no jobs yet\n"
    assert (
        _printed(lambda screen: print_audit(sessions, screen, "9.9", as_json=False))
        == "nothing has happened yet\n"
    )
