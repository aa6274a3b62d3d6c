"""What every destination promises."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE, evt
from pynetdicom.events import Event

from dicom_out.association import Peer
from dicom_out.destination import CStoreDestination, Destination, FolderDestination
from dicom_out.encode import encode, write
from dicom_out.outcome import Outcome
from tests.analyses import PROVENANCE, analysis_of, ct_headers


@dataclass(frozen=True)
class Setup:
    """A destination, and how to ask what it holds: the SOP Instance UID and bytes of each object's data set."""

    destination: Destination
    held: Callable[[], dict[str, bytes]]


@contextmanager
def _folder(folder: Path) -> Iterator[Setup]:
    def held() -> dict[str, bytes]:
        return {path.stem: _data_set(path.read_bytes()) for path in folder.glob("*.dcm")}

    yield Setup(FolderDestination(folder), held)


@contextmanager
def _pacs(_folder: Path) -> Iterator[Setup]:
    stored: dict[str, bytes] = {}

    def store(event: Event) -> int:
        stored[str(event.dataset.SOPInstanceUID)] = event.encoded_dataset(include_meta=False)
        return 0x0000

    entity = AE(ae_title="PACS")
    for sop_class in (SecondaryCaptureImageStorage, Comprehensive3DSRStorage):
        entity.add_supported_context(sop_class, ExplicitVRLittleEndian)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    assert server is not None
    try:
        peer = Peer("PACS", "127.0.0.1", server.server_address[1])
        yield Setup(CStoreDestination(peer, timeout_s=10), lambda: dict(stored))
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(params=[_folder, _pacs], ids=["folder", "C-STORE"])
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setup]:
    with request.param(tmp_path / "destination") as made:
        yield made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    headers = ct_headers()
    return write(encode(analysis_of(headers), headers, PROVENANCE), tmp_path_factory.mktemp("outbox"))


def _data_set(content: bytes) -> bytes:
    """Without preamble, prefix and file meta information (PS3.10 section 7.1)."""
    group_length = int.from_bytes(content[140:144], "little")
    return content[144 + group_length :]


def test_every_file_gets_there_and_is_answered_in_order(setup: Setup, files: list[Path]) -> None:
    results = setup.destination.send(files)
    assert [(r.outcome, r.path) for r in results] == [(Outcome.STORED, path) for path in files]
    assert setup.held() == {path.stem: _data_set(path.read_bytes()) for path in files}


def test_sending_again_leaves_one_object_with_the_same_bytes(setup: Setup, files: list[Path]) -> None:
    setup.destination.send(files)
    before = setup.held()
    assert {r.outcome for r in setup.destination.send(files)} == {Outcome.STORED}
    assert setup.held() == before


def test_a_file_is_kept_under_the_uid_inside_of_it(setup: Setup, files: list[Path], tmp_path: Path) -> None:
    renamed = tmp_path / "renamed"
    renamed.write_bytes(files[0].read_bytes())
    setup.destination.send([renamed])
    assert list(setup.held()) == [dcmread(files[0]).SOPInstanceUID]


def test_nothing_to_send_is_no_fault(setup: Setup) -> None:
    assert setup.destination.send([]) == []


def test_a_file_that_is_gone_is_refused_by_every_destination(setup: Setup, tmp_path: Path) -> None:
    (answer,) = setup.destination.send([tmp_path / "gone.dcm"])
    assert (answer.outcome, answer.answer) == (Outcome.REFUSED, "the file is gone or is not DICOM")


@pytest.mark.parametrize(
    "unreachable",
    [
        pytest.param(lambda folder: FolderDestination(folder / "file" / "below"), id="folder"),
        pytest.param(lambda _: CStoreDestination(Peer("PACS", "127.0.0.1", 9), timeout_s=1), id="C-STORE"),
    ],
)
def test_a_destination_that_is_not_there_is_worth_another_try(
    unreachable: Callable[[Path], Destination], files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    results = unreachable(tmp_path).send(files)
    assert {r.outcome for r in results} == {Outcome.TRY_AGAIN}
    assert all(r.answer for r in results)
    assert [r.path for r in results] == files
