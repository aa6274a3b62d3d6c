"""Images go once nothing needs them, by age and for the disk; what was begun is ended, what comes again is taken in."""

from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from config.settings import Retention, Settings
from db import audit, instances, jobs
from db.models import Instance, Job
from db.retention import OVER, Expendable
from db.session import Sessions
from db.states import State
from node import retention as module
from node.receive import Arrival
from node.reconcile import LOST, reconcile
from node.retention import DELETED, choose, delete_expendable, doomed, print_doomed
from tests.phantom import short_study
from tests.received import identify, receive, reception

DAY = timedelta(days=1)
MONTH = timedelta(days=31)


def _receive(path: Path, settings: Settings, sessions: Sessions, *, now: datetime) -> Instance:
    content = path.read_bytes()
    found = identify(content)
    arrival = Arrival("PACS", found.sop_class_uid, found.sop_instance_uid)
    receive(content, arrival, spool=settings.storage.spool, sessions=sessions, now=now)
    with sessions() as session:
        instance = instances.known(session, found.sop_instance_uid)
    assert instance is not None
    return instance


def _move(sessions: Sessions, state: State) -> None:
    with sessions.begin() as session:
        (job,) = jobs.every(session)
        job.state, job.reason = state, "a reason"
        job.lease_owner, job.lease_until = ("w", job.created_at) if state is State.RUNNING else (None, None)
        job.withdrawal = "113001" if state in (State.WITHDRAWING, State.WITHDRAWN) else None


@pytest.fixture
def images(settings: Settings, sessions: Sessions, tmp_path: Path, now: datetime) -> list[Path]:
    """The spooled files of a study that was received now."""
    sent = short_study(tmp_path / "ct")
    return [settings.storage.spool / _receive(p, settings, sessions, now=now).path for p in sent]


@pytest.mark.parametrize("state", State)
def test_only_what_is_over_lets_its_images_go(
    state: State, images: list[Path], settings: Settings, sessions: Sessions, now: datetime
) -> None:
    _move(sessions, state)
    assert delete_expendable(settings, sessions, now=now + 29 * DAY) == []
    went = delete_expendable(settings, sessions, now=now + MONTH)
    assert [one.study.images for one in went] == ([len(images)] if state in OVER else [])
    assert [p.exists() for p in images] == [state not in OVER] * len(images)


def test_a_deletion_is_audited_and_said_once(
    images: list[Path], settings: Settings, sessions: Sessions, now: datetime
) -> None:
    _move(sessions, State.DONE)
    assert len(delete_expendable(settings, sessions, now=now + MONTH)) == 1
    assert delete_expendable(settings, sessions, now=now + MONTH) == []
    with sessions() as session:
        (row,) = [row for row in audit.trail(session) if row.event == DELETED]
    assert row.detail.startswith(f"{len(images)} images, ")
    assert row.detail.endswith("ended more than 30 days ago")


def test_a_kill_between_rows_and_files_is_made_up_for_at_the_next_start(
    images: list[Path], settings: Settings, sessions: Sessions, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _move(sessions, State.DONE)
    with monkeypatch.context() as patched:
        patched.setattr("db.retention.deleted", _die)
        with pytest.raises(KeyboardInterrupt):
            delete_expendable(settings, sessions, now=now + MONTH)
    assert _kept(sessions) == []
    assert all(p.exists() for p in images)
    into = reception(settings.storage.folder, sessions, lambda: now + MONTH)
    reconcile(settings, sessions, into, now=now + MONTH)
    assert not any(p.exists() for p in images)
    assert _kept(sessions) == []
    with sessions() as session:
        events = [row.event for row in audit.trail(session)]
    assert DELETED in events
    assert LOST not in events


def test_an_image_that_comes_again_between_rows_and_files_keeps_its_file(
    images: list[Path],
    settings: Settings,
    sessions: Sessions,
    now: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _move(sessions, State.DONE)
    came, remove = [], module._remove_files

    def one_comes_first(study: str, spool: Path, sessions: Sessions) -> None:
        sent = min((tmp_path / "ct").iterdir())
        came.append(_receive(sent, settings, sessions, now=now + MONTH).path)
        remove(study, spool, sessions)

    monkeypatch.setattr(module, "_remove_files", one_comes_first)
    delete_expendable(settings, sessions, now=now + MONTH)
    assert _kept(sessions) == came
    assert [p for p in images if p.exists()] == [settings.storage.spool / path for path in came]


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _kept(sessions: Sessions) -> list[str]:
    with sessions() as session:
        study = jobs.every(session)[0].study_instance_uid
        return [i.path for i in instances.of_study(session, study) if i.deleted_at is None]


def test_what_comes_again_is_known_and_stays_as_if_it_had_come_now(
    images: list[Path], settings: Settings, sessions: Sessions, now: datetime, tmp_path: Path
) -> None:
    _move(sessions, State.DONE)
    delete_expendable(settings, sessions, now=now + MONTH)
    for path in (tmp_path / "ct").iterdir():
        _receive(path, settings, sessions, now=now + MONTH)
    assert len(_kept(sessions)) == len(images)
    assert all(p.exists() for p in images)
    with sessions() as session:
        assert [job.state for job in jobs.every(session)] == [State.DONE]
    assert delete_expendable(settings, sessions, now=now + 2 * MONTH - DAY * 2) == []
    assert len(delete_expendable(settings, sessions, now=now + 2 * MONTH)) == 1


@pytest.mark.usefixtures("images")
def test_a_study_that_moves_after_it_was_chosen_is_left_alone(
    settings: Settings, sessions: Sessions, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    _move(sessions, State.REJECTED)
    chosen = doomed(settings, sessions, now=now + MONTH)
    _move(sessions, State.RECEIVING)
    monkeypatch.setattr(module, "doomed", lambda *_, **__: chosen)
    assert delete_expendable(settings, sessions, now=now + MONTH) == []


def test_on_a_full_disk_the_oldest_go_first_and_no_more_than_are_needed(now: datetime) -> None:
    studies = [Expendable(f"1.{n}", 1, 100, now - n * DAY) for n in (5, 4, 3)]
    rules = Retention(minimum_free_bytes=1000)
    chosen = choose(studies, rules, free_bytes=850, now=now)
    assert [one.study.study_instance_uid for one in chosen] == ["1.5", "1.4"]
    assert chosen[0].why == "850 bytes free, retention.minimum_free_bytes 1000"
    assert choose(studies, rules, free_bytes=1000, now=now) == []
    assert choose(studies, Retention(minimum_free_bytes=0), free_bytes=0, now=now) == []


def test_age_counts_from_the_end_of_the_last_job(
    images: list[Path], settings: Settings, sessions: Sessions, now: datetime
) -> None:
    _move(sessions, State.DONE)
    with sessions.begin() as session:
        session.query(Job).update({Job.changed_at: now + MONTH})
    assert delete_expendable(settings, sessions, now=now + MONTH) == []
    assert all(p.exists() for p in images)


@pytest.mark.usefixtures("images")
def test_what_would_go_is_said_with_its_reason(settings: Settings, sessions: Sessions, now: datetime) -> None:
    _move(sessions, State.DONE)
    screen = Console(file=StringIO(), width=200)
    print_doomed(doomed(settings, sessions, now=now + MONTH), screen, done=False)
    assert isinstance(screen.file, StringIO)
    text = screen.file.getvalue()
    assert "ended more than 30 days ago" in text
    assert "would delete: 1 studies" in text
    assert len(_kept(sessions)) > 0
