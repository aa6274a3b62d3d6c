"""Taking in an object: durable once, whole or not at all."""

import struct
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage

from db import instances, jobs
from db.session import Sessions
from db.states import State
from inference.phantom import chest, write_study
from node.identification import NotStorable
from node.receive import Arrival, OtherContent, WrongObject
from tests.received import changed, identify, receive


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    phantom = chest(seed=1, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=50.0)
    return write_study(phantom, tmp_path_factory.mktemp("ct"))[0].read_bytes()


def _arrival(content: bytes) -> Arrival:
    identity = identify(content)
    return Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_image_is_a_file_a_row_and_a_job(
    image: bytes, tmp_path: Path, sessions: Sessions, now: datetime
) -> None:
    spool = tmp_path / "spool"
    identity = receive(image, _arrival(image), spool=spool, sessions=sessions, now=now)
    with sessions() as session:
        row = instances.known(session, identity.sop_instance_uid)
        job = jobs.latest_generation(session, identity.study_instance_uid)
    assert row is not None
    assert (spool / row.path).read_bytes() == image
    assert (row.sop_class_uid, row.calling_ae_title, row.received_at) == (CTImageStorage, "PACS", now)
    assert job is not None
    assert job.state is State.RECEIVING


def test_an_image_sent_twice_is_stored_once(
    image: bytes, tmp_path: Path, sessions: Sessions, now: datetime
) -> None:
    spool = tmp_path / "spool"
    first, second = (
        receive(image, _arrival(image), spool=spool, sessions=sessions, now=now) for _ in range(2)
    )
    assert first == second
    assert len(_files(spool)) == 1


def test_other_content_under_a_known_uid_is_refused_and_the_first_kept(
    image: bytes, tmp_path: Path, sessions: Sessions, now: datetime
) -> None:
    spool = tmp_path / "spool"
    identity = receive(image, _arrival(image), spool=spool, sessions=sessions, now=now)
    other = changed(image, PixelData=bytes(len(dcmread(BytesIO(image)).PixelData)))
    with pytest.raises(OtherContent):
        receive(other, _arrival(other), spool=spool, sessions=sessions, now=now)
    with sessions() as session:
        row = instances.known(session, identity.sop_instance_uid)
    assert row is not None
    assert [file.read_bytes() for file in _files(spool)] == [image]


def test_a_data_set_that_is_not_what_the_command_says_is_refused(
    image: bytes, tmp_path: Path, sessions: Sessions, now: datetime
) -> None:
    with pytest.raises(WrongObject):
        receive(
            image,
            Arrival("PACS", CTImageStorage, "1.2.3"),
            spool=tmp_path / "spool",
            sessions=sessions,
            now=now,
        )


@pytest.mark.parametrize("keyword", ["SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_an_object_without_its_uids_is_refused_by_their_name(image: bytes, keyword: str) -> None:
    with pytest.raises(NotStorable, match=keyword):
        identify(changed(image, **{keyword: None}))


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "1.2/3", "..", ".", "1..2", "1" * 65, ""])
def test_a_uid_that_is_a_path_or_none_never_reaches_the_disk(image: bytes, uid: str) -> None:
    content = changed(image, StudyInstanceUID=None)
    element = struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", len(uid) + len(uid) % 2) + uid.encode()
    at = content.index(struct.pack("<HH", 0x0020, 0x000E))
    with pytest.raises(NotStorable):
        identify(content[:at] + element + b"\0" * (len(uid) % 2) + content[at:])


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.99])
def test_a_truncated_object_is_refused_and_leaves_nothing(
    image: bytes, tmp_path: Path, sessions: Sessions, now: datetime, share: float
) -> None:
    arrival = _arrival(image)
    with pytest.raises(NotStorable):
        receive(
            image[: int(len(image) * share)], arrival, spool=tmp_path / "spool", sessions=sessions, now=now
        )
    assert _files(tmp_path / "spool") == []


def test_a_late_image_opens_the_next_generation(
    image: bytes, tmp_path: Path, sessions: Sessions, now: datetime
) -> None:
    identity = receive(image, _arrival(image), spool=tmp_path / "spool", sessions=sessions, now=now)
    with sessions.begin() as session:
        (job,) = jobs.every(session)
        job.state, job.reason = State.REJECTED, "a test"
    late = changed(image, SOPInstanceUID=identity.sop_instance_uid + ".1")
    receive(late, _arrival(late), spool=tmp_path / "spool", sessions=sessions, now=now)
    with sessions() as session:
        assert [j.generation for j in jobs.every(session)] == [1, 2]


def test_an_image_whose_file_has_gone_is_kept_when_it_comes_again(
    image: bytes, tmp_path: Path, sessions: Sessions, now: datetime
) -> None:
    receive(image, _arrival(image), spool=tmp_path / "spool", sessions=sessions, now=now)
    _files(tmp_path / "spool")[0].unlink()
    receive(image, _arrival(image), spool=tmp_path / "spool", sessions=sessions, now=now)
    assert [file.read_bytes() for file in _files(tmp_path / "spool")] == [image]
