"""A known SOP Instance UID that comes again with other content: whose it is, how it is described, or what it shows."""

from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from config.settings import Settings
from db import instances, jobs
from db.models import FormerRevision, Instance
from db.session import Sessions
from db.states import State
from inference.phantom import chest, write_study
from node.receive import OtherContent, Reception
from node.revision import Change, change_between
from tests.received import changed, reception, take


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    phantom = chest(seed=1, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=100.0)
    return write_study(phantom, tmp_path_factory.mktemp("ct"))[0].read_bytes()


@pytest.fixture
def into(settings: Settings, sessions: Sessions, now: datetime) -> Reception:
    return reception(settings.storage.folder, sessions, lambda: now)


def _row(sessions: Sessions, uid: str) -> Instance:
    with sessions() as session:
        row = instances.known(session, uid)
    assert row is not None
    return row


def _recoded(content: bytes, transfer_syntax: str) -> bytes:
    ds = dcmread(BytesIO(content))
    if transfer_syntax == RLELossless:
        ds.compress(RLELossless)
    else:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


def _other_pixels(content: bytes) -> bytes:
    return changed(content, PixelData=bytes(len(dcmread(BytesIO(content)).PixelData)))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"SeriesDescription": "corrected"}, Change.HEADER),
        ({"WindowCenter": "40"}, Change.HEADER),
        ({"PatientID": "ANOTHER"}, Change.IDENTITY),
        ({"PatientBirthDate": None}, Change.IDENTITY),
        ({"AccessionNumber": "A2"}, Change.IDENTITY),
        ({"StudyInstanceUID": "1.2.3.4"}, Change.IDENTITY),
        ({"PixelData": b"\0" * 64 * 64 * 2}, Change.CONTENT),
    ],
)
def test_what_a_change_is(image: bytes, tmp_path: Path, changes: dict[str, object], expected: Change) -> None:
    known, new = tmp_path / "known", tmp_path / "new"
    known.write_bytes(image)
    new.write_bytes(changed(image, **changes))
    assert change_between(known, new) is expected


@pytest.mark.parametrize("transfer_syntax", [ImplicitVRLittleEndian, RLELossless])
def test_another_transfer_syntax_is_the_same_image(
    image: bytes, tmp_path: Path, transfer_syntax: str
) -> None:
    known, new, other = tmp_path / "known", tmp_path / "new", tmp_path / "other"
    known.write_bytes(image)
    new.write_bytes(_recoded(image, transfer_syntax))
    other.write_bytes(_recoded(_other_pixels(image), transfer_syntax))
    assert change_between(known, new) is Change.HEADER
    assert change_between(known, other) is Change.CONTENT


def test_an_image_whose_former_file_has_gone_is_another(image: bytes, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_bytes(image)
    assert change_between(tmp_path / "known", new) is Change.IDENTITY


def test_a_corrected_header_takes_the_place_of_the_former_which_is_kept(
    image: bytes, settings: Settings, sessions: Sessions, into: Reception
) -> None:
    uid = take(image, into)
    former = _row(sessions, uid)
    corrected = changed(image, SeriesDescription="corrected")
    for _ in range(2):
        take(corrected, into)
    row = _row(sessions, uid)
    assert (settings.storage.spool / row.path).read_bytes() == corrected
    assert (settings.storage.spool / former.path).read_bytes() == image
    with sessions() as session:
        (kept,) = session.query(FormerRevision).all()
        assert [job.generation for job in jobs.every(session)] == [1]
    assert (kept.instance_id, kept.path, kept.sha256) == (row.id, former.path, former.sha256)


@pytest.mark.parametrize(
    ("state", "changes", "generations"),
    [
        (State.REJECTED, {"SeriesDescription": "corrected"}, [1]),
        (State.REJECTED, {"PatientID": "ANOTHER"}, [1, 2]),
        (State.QUEUED, {"SeriesDescription": "corrected"}, [1]),
    ],
)
def test_who_the_patient_is_opens_a_generation_and_a_queued_job_looks_again(
    image: bytes,
    sessions: Sessions,
    into: Reception,
    state: State,
    changes: dict[str, object],
    generations: list[int],
) -> None:
    take(image, into)
    with sessions.begin() as session:
        (job,) = jobs.every(session)
        job.state, job.reason = state, "a test"
    take(changed(image, **changes), into)
    with sessions() as session:
        every = jobs.every(session)
        assert [job.generation for job in every] == generations
        assert every[-1].state is (
            State.REJECTED if generations == [1] and state is State.REJECTED else State.RECEIVING
        )


def test_an_image_that_moves_to_another_study_is_analysed_there(
    image: bytes, sessions: Sessions, into: Reception
) -> None:
    uid = take(image, into)
    take(changed(image, StudyInstanceUID="1.2.3.4"), into)
    assert _row(sessions, uid).study_instance_uid == "1.2.3.4"
    with sessions() as session:
        assert {job.study_instance_uid for job in jobs.every(session)} > {"1.2.3.4"}


def test_other_pixels_are_refused_whatever_else_changed(
    image: bytes, settings: Settings, sessions: Sessions, into: Reception
) -> None:
    uid = take(image, into)
    with pytest.raises(OtherContent):
        take(changed(_other_pixels(image), PatientID="ANOTHER"), into)
    assert (settings.storage.spool / _row(sessions, uid).path).read_bytes() == image
    assert len(list(settings.storage.spool.rglob("*.dcm"))) == 1
