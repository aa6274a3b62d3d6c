"""The listener and a sender, over TCP: who may associate, what is accepted, which status is answered."""

import errno
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE
from pynetdicom.association import Association

from config.settings import Settings
from db import audit, quarantine
from db.session import DatabaseUnusable
from inference.phantom import chest, write_study
from node import app, scp
from node.identification import NotStorable
from node.receive import Arrival, OtherContent, WrongObject
from node.rejections import REJECTED
from node.status import StoreStatus
from node.storing import gathered
from tests.peers import wait_for


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    phantom = chest(seed=2, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=50.0)
    return write_study(phantom, tmp_path_factory.mktemp("ct"))


@pytest.fixture
def port(settings: Settings) -> Iterator[int]:
    with app.running(settings) as port:
        yield port


def _associate(
    port: int, *contexts: tuple[str, str], calling: str = "PACS", called: str = "SEDAS"
) -> Association:
    ae = AE(ae_title=calling)
    for sop_class, transfer_syntax in contexts:
        ae.add_requested_context(sop_class, transfer_syntax)
    return ae.associate("127.0.0.1", port, ae_title=called)


def _store(port: int, ds: Dataset) -> int | None:
    """The status of a C-STORE; None where the presentation context is not accepted."""
    syntax = str(ds.file_meta.TransferSyntaxUID)
    assoc = _associate(port, (scp.VERIFICATION, ExplicitVRLittleEndian), (str(ds.SOPClassUID), syntax))
    assert assoc.is_established
    try:
        return int(assoc.send_c_store(ds).Status)
    except ValueError:
        return None
    finally:
        assoc.release()


def test_a_rejected_association_is_in_the_audit_trail(port: int, settings: Settings) -> None:
    for _ in range(2):
        assert _associate(port, (scp.VERIFICATION, ExplicitVRLittleEndian), calling="STRANGER").is_rejected

    def noted() -> list[str]:
        with app.open_existing(settings)() as session:
            return [row.detail for row in audit.trail(session) if row.event == REJECTED]

    assert wait_for(noted, "the rejection to be noted") == ["127.0.0.1: STRANGER called SEDAS"]


def test_a_known_peer_gets_its_echo(port: int) -> None:
    assoc = _associate(port, (scp.VERIFICATION, ExplicitVRLittleEndian))
    assert assoc.send_c_echo().Status == StoreStatus.SUCCESS
    assoc.release()


@pytest.mark.parametrize(("calling", "called"), [("STRANGER", "SEDAS"), ("PACS", "OTHER")])
def test_an_unknown_title_is_rejected(port: int, calling: str, called: str) -> None:
    assoc = _associate(port, (scp.VERIFICATION, ExplicitVRLittleEndian), calling=calling, called=called)
    assert assoc.is_rejected


def test_an_image_is_stored_and_a_repeat_too(port: int, slices: list[Path], settings: Settings) -> None:
    for _ in range(2):
        assert _store(port, dcmread(slices[0])) == StoreStatus.SUCCESS
    assert len(list(settings.storage.spool.rglob("*.dcm"))) == 1


def test_pixel_data_that_is_too_short_is_not_understood(
    port: int, slices: list[Path], settings: Settings
) -> None:
    ds = dcmread(slices[1])
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]
    assert _store(port, ds) == StoreStatus.CANNOT_UNDERSTAND
    assert list(settings.storage.spool.rglob("*")) == []


def test_a_disk_that_is_nearly_full_takes_nothing(
    settings: Settings, slices: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    storage = settings.storage.model_copy(update={"minimum_free_bytes": 1 << 60})
    with app.running(settings.model_copy(update={"storage": storage})) as port:
        for file in slices[:2]:
            assert _store(port, dcmread(file)) == StoreStatus.OUT_OF_RESOURCES
    assert not settings.storage.spool.exists()
    told = [
        r.getMessage() for r in caplog.records if r.name.startswith("node.") and r.levelno >= logging.WARNING
    ]
    assert told == ["disk nearly full, nothing is taken in"]


def test_other_content_under_a_known_uid_is_answered_so(port: int, slices: list[Path]) -> None:
    ds = dcmread(slices[2])
    assert _store(port, ds) == StoreStatus.SUCCESS
    ds.PixelData = bytes(len(ds.PixelData))
    assert _store(port, ds) == StoreStatus.OTHER_CONTENT_UNDER_KNOWN_UID


@pytest.mark.filterwarnings("ignore:.*for VR UI")  # pydicom, of what the test writes
def test_what_is_refused_is_quarantined(port: int, slices: list[Path], settings: Settings) -> None:
    kept, changed, cut, path_like, long = (dcmread(slices[2]) for _ in range(5))
    changed.PixelData = bytes(len(changed.PixelData))
    cut.SOPInstanceUID = f"{kept.SOPInstanceUID}.1"
    cut.PixelData = cut.PixelData[:100]
    path_like.SOPInstanceUID = "../../../etc/passwd"
    path_like.StudyInstanceUID = "../.."
    long.SOPInstanceUID = "1." * 40 + "1"
    assert [_store(port, ds) for ds in (kept, changed, cut, path_like, long)] == [
        StoreStatus.SUCCESS,
        StoreStatus.OTHER_CONTENT_UNDER_KNOWN_UID,
        StoreStatus.CANNOT_UNDERSTAND,
        StoreStatus.CANNOT_UNDERSTAND,
        StoreStatus.CANNOT_UNDERSTAND,
    ]
    with app.open_existing(settings)() as session:
        rows = quarantine.every(session)
    assert [row.calling_ae_title for row in rows] == ["PACS"] * 4
    assert ["known with other content" in rows[0].reason, "bytes short" in rows[1].reason] == [True, True]
    assert [row.sop_instance_uid for row in rows[2:]] == [path_like.SOPInstanceUID, long.SOPInstanceUID]
    folder = settings.storage.quarantine
    assert {path.name for path in folder.iterdir()} == {f"{row.sha256}.dcm" for row in rows}
    assert dcmread(folder / f"{rows[0].sha256}.dcm").PixelData == changed.PixelData
    assert len(list(settings.storage.spool.rglob("*.dcm"))) == 1


def test_a_class_that_is_not_offered_is_not_accepted(port: int, slices: list[Path]) -> None:
    ds = dcmread(slices[3])
    ds.SOPClassUID = SecondaryCaptureImageStorage
    assert _store(port, ds) is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StoreStatus.OUT_OF_RESOURCES),
        (DatabaseUnusable("locked"), StoreStatus.OUT_OF_RESOURCES),
        (NotStorable("no"), StoreStatus.CANNOT_UNDERSTAND),
        (WrongObject("no"), StoreStatus.DOES_NOT_MATCH_SOP_CLASS),
        (OtherContent("no"), StoreStatus.OTHER_CONTENT_UNDER_KNOWN_UID),
    ],
)
def test_each_refusal_has_its_status(
    settings: Settings, slices: list[Path], error: Exception, status: StoreStatus
) -> None:
    def keep(_content: bytes, _arrival: Arrival) -> None:
        raise error

    with scp.listening(settings.listener, gathered(keep)) as port:
        assert _store(port, dcmread(slices[0])) == status


@pytest.mark.realdata
@pytest.mark.parametrize("transfer_syntax", [*scp.UNCOMPRESSED, *scp.COMPRESSED])
def test_every_transfer_syntax_we_claim_is_received(port: int, real_data: Path, transfer_syntax: str) -> None:
    folder = real_data / "awkward" / "transfer_syntax"
    (file,) = folder.glob(f"*_{transfer_syntax}.dcm")
    assert _store(port, dcmread(file)) == StoreStatus.SUCCESS


@pytest.mark.realdata
@pytest.mark.parametrize("transfer_syntax", ["1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55"])
def test_what_nobody_can_decode_is_not_accepted(port: int, real_data: Path, transfer_syntax: str) -> None:
    folder = real_data / "awkward" / "transfer_syntax"
    (file,) = folder.glob(f"*_{transfer_syntax}.dcm")
    assert _store(port, dcmread(file)) is None


def test_images_come_on_many_associations_at_once(port: int, slices: list[Path], settings: Settings) -> None:
    assocs = [_associate(port, (CTImageStorage, ExplicitVRLittleEndian)) for _ in range(4)]
    for file in slices:
        for assoc in assocs:
            assert assoc.send_c_store(dcmread(file)).Status == StoreStatus.SUCCESS
    for assoc in assocs:
        assoc.release()
    assert len(list(settings.storage.spool.rglob("*.dcm"))) == len(slices)
