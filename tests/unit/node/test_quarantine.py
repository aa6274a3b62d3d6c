"""What was refused is kept with reason and sender, within bounds, and can be taken in later."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage
from rich.console import Console
from typer.testing import CliRunner, Result

from config.settings import Quarantine, Settings
from db import instances, quarantine
from db.models import Quarantined
from db.session import Sessions, open_database
from inference.phantom import chest, write_study
from node.__main__ import cli
from node.interventions import CannotIntervene
from node.quarantine import file_of, print_all, print_one, prune, put_aside, release
from node.receive import Arrival
from tests.received import identify, written

REFUSED = Arrival("PACS", CTImageStorage, "../../etc/passwd")


def _kept(sessions: Sessions) -> list[Quarantined]:
    with sessions() as session:
        return list(quarantine.every(session))


def _put_aside(
    content: bytes, arrival: Arrival, reason: str, settings: Settings, sessions: Sessions, *, now: datetime
) -> None:
    put_aside(written(content, settings.storage.incoming), arrival, reason, settings, sessions, now=now)


def _files(settings: Settings) -> list[bytes]:
    return sorted(path.read_bytes() for path in settings.storage.quarantine.glob("*"))


def _with(settings: Settings, **rules: float) -> Settings:
    return settings.model_copy(update={"quarantine": Quarantine.model_validate(rules)})


def test_bytes_reason_and_sender_are_kept(settings: Settings, sessions: Sessions, now: datetime) -> None:
    _put_aside(b"rubbish", REFUSED, "not a readable data set", settings, sessions, now=now)
    (row,) = _kept(sessions)
    assert (row.reason, row.calling_ae_title) == ("not a readable data set", "PACS")
    assert (row.sop_class_uid, row.sop_instance_uid) == (CTImageStorage, "../../etc/passwd")
    assert file_of(row, settings).read_bytes() == b"rubbish"
    assert file_of(row, settings).parent == settings.storage.quarantine


def test_what_comes_again_is_counted_and_kept_once(
    settings: Settings, sessions: Sessions, now: datetime
) -> None:
    for n, reason in enumerate(("first", "second")):
        _put_aside(b"rubbish", REFUSED, reason, settings, sessions, now=now + timedelta(hours=n))
    (row,) = _kept(sessions)
    assert (row.times, row.reason) == (2, "second")
    assert (row.received_at, row.last_received_at) == (now, now + timedelta(hours=1))
    assert _files(settings) == [b"rubbish"]


def test_the_oldest_gives_way(settings: Settings, sessions: Sessions, now: datetime) -> None:
    small = _with(settings, maximum_bytes=10)
    for n, content in enumerate((b"1111", b"2222", b"3333")):
        _put_aside(content, REFUSED, "no", small, sessions, now=now + timedelta(seconds=n))
    assert _files(settings) == [b"2222", b"3333"]
    _put_aside(bytes(11), REFUSED, "no", small, sessions, now=now)
    assert _files(settings) == [b"2222", b"3333"]
    assert len(_kept(sessions)) == 2


def test_what_is_too_old_goes(settings: Settings, sessions: Sessions, now: datetime) -> None:
    rules = _with(settings, maximum_age_days=1)
    _put_aside(b"old", REFUSED, "no", rules, sessions, now=now)
    _put_aside(b"new", REFUSED, "no", rules, sessions, now=now + timedelta(hours=2))
    prune(rules, sessions, now=now + timedelta(hours=25))
    assert _files(settings) == [b"new"]
    assert len(_kept(sessions)) == 1


def test_a_file_that_belongs_to_no_row_goes_once_nobody_can_be_writing_it(
    settings: Settings, sessions: Sessions, now: datetime
) -> None:
    _put_aside(b"kept", REFUSED, "no", settings, sessions, now=now)
    for name, age_s in (("young.dcm", 60), (".old.dcm.part", 7200)):
        path = settings.storage.quarantine / name
        path.write_bytes(b"")
        os.utime(path, (now.timestamp() - age_s,) * 2)
    prune(settings, sessions, now=now)
    names = {path.name for path in settings.storage.quarantine.glob("*")}
    assert names == {"young.dcm", f"{_kept(sessions)[0].sha256}.dcm"}


def test_a_quarantine_that_takes_nothing_costs_only_a_line(
    settings: Settings, sessions: Sessions, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    settings.storage.folder.mkdir(parents=True)
    settings.storage.quarantine.write_bytes(b"a file where the folder should be")
    _put_aside(b"rubbish", REFUSED, "no", settings, sessions, now=now)
    assert [r.getMessage() for r in caplog.records] == ["not quarantined"]
    assert _kept(sessions) == []


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    phantom = chest(seed=1, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=100.0)
    return write_study(phantom, tmp_path_factory.mktemp("ct"))[0].read_bytes()


def test_what_can_be_taken_in_now_leaves_the_quarantine(
    settings: Settings, sessions: Sessions, now: datetime, image: bytes
) -> None:
    identity = identify(image)
    arrival = Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid)
    _put_aside(image, arrival, "an older version could not read it", settings, sessions, now=now)
    release(settings, sessions, _kept(sessions)[0].id, now=now)
    with sessions() as session:
        received = instances.known(session, identity.sop_instance_uid)
    assert received is not None
    assert (settings.storage.spool / received.path).read_bytes() == image
    assert (_kept(sessions), _files(settings)) == ([], [])


def _refused_again(_: Path) -> None:
    pass


def _gone(path: Path) -> None:
    path.unlink()


def _changed(path: Path) -> None:
    path.write_bytes(b"something else")


@pytest.mark.parametrize(
    ("meanwhile", "complaint"),
    [
        (_refused_again, "is refused again: not a readable data set"),
        (_gone, "No such file"),
        (_changed, "is not what was put there"),
    ],
)
def test_what_cannot_be_taken_in_stays(
    settings: Settings,
    sessions: Sessions,
    now: datetime,
    meanwhile: Callable[[Path], None],
    complaint: str,
) -> None:
    _put_aside(b"rubbish", REFUSED, "no", settings, sessions, now=now)
    (row,) = _kept(sessions)
    meanwhile(file_of(row, settings))
    with pytest.raises(CannotIntervene, match=complaint):
        release(settings, sessions, row.id, now=now)
    assert len(_kept(sessions)) == 1


def test_it_is_listed_and_shown_without_obeying_it(
    settings: Settings, sessions: Sessions, now: datetime
) -> None:
    hostile = Arrival("PACS", CTImageStorage, "1.2\x1b[2J")
    _put_aside(b"rubbish", hostile, "a [reason]", settings, sessions, now=now)
    (row,) = _kept(sessions)
    listed = _printed(_all, settings, sessions)
    shown = _printed(
        lambda s, db, screen: print_one(s, db, screen, row.id, as_json=False), settings, sessions
    )
    for text in ("1.2?[2J", "PACS", "a [reason]"):
        assert text in listed
        assert text in shown
    assert "\x1b" not in listed + shown
    assert str(file_of(row, settings)) in shown
    (entry,) = json.loads(_printed(lambda *given: print_all(*given, as_json=True), settings, sessions))
    assert (entry["object"], entry["times"], entry["size_bytes"]) == (row.id, 1, 7)


def test_nothing_is_said_in_words(settings: Settings, sessions: Sessions) -> None:
    assert _printed(_all, settings, sessions) == "nothing is in quarantine\n"
    with pytest.raises(CannotIntervene, match="no object 7"):
        release(settings, sessions, 7, now=datetime.now(UTC))


def test_the_command_lists_shows_and_releases(settings: Settings, now: datetime, image: bytes) -> None:
    settings.storage.folder.mkdir(parents=True)
    config = settings.storage.folder / "config.toml"
    config.write_text(f'[storage]\nfolder = "{settings.storage.folder}"')

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["quarantine", *arguments, "--config", str(config)])

    identity = identify(image)
    arrival = Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid)
    sessions = open_database(settings.storage.url)
    _put_aside(image, arrival, "a reason", settings, sessions, now=now)
    _put_aside(b"rubbish", REFUSED, "a reason", settings, sessions, now=now)
    assert run().stdout.count("a reason") == 2
    assert identity.sop_instance_uid in run("1").stdout
    assert run("1", "--release").stdout == "object 1 is taken in\n"
    assert isinstance(run("2", "--release").exception, CannotIntervene)
    assert isinstance(run("--release").exception, CannotIntervene)
    assert [entry["object"] for entry in json.loads(run("--json").stdout)] == [2]


def _all(settings: Settings, sessions: Sessions, screen: Console) -> None:
    print_all(settings, sessions, screen, as_json=False)


def _printed(
    show: Callable[[Settings, Sessions, Console], None], settings: Settings, sessions: Sessions
) -> str:
    paper = StringIO()
    show(settings, sessions, Console(file=paper, markup=False, soft_wrap=True, width=80))
    return paper.getvalue()
