"""After a kill or a loss, the spool and the database are brought to say the same."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from config.settings import Settings
from db import audit, instances, jobs
from db.models import Instance
from db.session import Sessions
from inference.phantom import chest, write_study
from node.receive import Reception
from node.reconcile import LOST, reconcile
from tests.received import reception, take


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    phantom = chest(seed=1, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=50.0)
    return [path.read_bytes() for path in write_study(phantom, tmp_path_factory.mktemp("ct"))]


@pytest.fixture
def into(settings: Settings, sessions: Sessions, now: datetime) -> Reception:
    return reception(settings.storage.folder, sessions, lambda: now)


def _rows(sessions: Sessions) -> list[Instance]:
    with sessions() as session:
        (study,) = instances.studies_on_disk(session) or ["none"]
        return list(instances.of_study(session, study))


def _files(settings: Settings) -> list[Path]:
    return sorted(path for path in settings.storage.folder.rglob("*.*") if path.is_file())


def test_where_both_agree_nothing_changes(
    settings: Settings, sessions: Sessions, into: Reception, images: list[bytes], now: datetime
) -> None:
    for content in images:
        take(content, into)
    before = _files(settings), [(row.id, row.sha256, row.deleted_at) for row in _rows(sessions)]
    reconcile(settings, sessions, into, now=now)
    assert (_files(settings), [(row.id, row.sha256, row.deleted_at) for row in _rows(sessions)]) == before
    with sessions() as session:
        assert [row for row in audit.trail(session) if row.event == LOST] == []


def test_a_file_without_a_row_is_taken_in(
    settings: Settings, sessions: Sessions, into: Reception, images: list[bytes], now: datetime
) -> None:
    uid = take(images[0], into)
    (row,) = _rows(sessions)
    with sessions.begin() as session:
        session.delete(instances.known(session, uid))
    reconcile(settings, sessions, into, now=now)
    (again,) = _rows(sessions)
    assert (again.sop_instance_uid, again.sha256, again.path) == (uid, row.sha256, row.path)
    assert again.calling_ae_title == settings.listener.ae_title


def test_a_file_that_is_torn_or_unfinished_goes(
    settings: Settings, sessions: Sessions, into: Reception, images: list[bytes], now: datetime
) -> None:
    uid = take(images[0], into)
    torn = settings.storage.spool / "1.2.3" / f"{'0' * 64}.dcm"
    torn.parent.mkdir()
    torn.write_bytes(images[1][:1000])
    (settings.storage.incoming / "1-1.part").write_bytes(images[1][:1000])
    reconcile(settings, sessions, into, now=now)
    assert [row.sop_instance_uid for row in _rows(sessions)] == [uid]
    assert [path.suffix for path in _files(settings)] == [".dcm"]


def test_a_file_that_is_no_object_of_ours_goes_too(
    settings: Settings, sessions: Sessions, into: Reception, now: datetime
) -> None:
    digest = "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df"  # of b"ok"
    strange = settings.storage.spool / "1.2.3" / f"{digest}.dcm"
    strange.parent.mkdir(parents=True)
    strange.write_bytes(b"ok")
    reconcile(settings, sessions, into, now=now)
    assert not strange.exists()


def test_a_row_without_its_file_says_so_and_the_object_may_come_again(
    settings: Settings, sessions: Sessions, into: Reception, images: list[bytes], now: datetime
) -> None:
    for content in images[:2]:
        take(content, into)
    lost = _rows(sessions)[0]
    (settings.storage.spool / lost.path).unlink()
    later = now + timedelta(hours=1)
    for _ in range(2):
        reconcile(settings, sessions, into, now=later)
    assert [row.deleted_at for row in _rows(sessions)] == [later, None]
    with sessions() as session:
        (noted,) = [row for row in audit.trail(session) if row.event == LOST]
        assert noted.detail.startswith("1 objects of study")
    take(images[0], into)
    assert [row.deleted_at for row in _rows(sessions)] == [None, None]
    assert (settings.storage.spool / lost.path).read_bytes() == images[0]
    with sessions() as session:
        assert [job.generation for job in jobs.every(session)] == [1]
