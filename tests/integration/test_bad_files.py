"""Files made to harm: kept in the spool or refused, whatever they promise, and no reader of theirs takes the node's memory."""

import resource
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from pydicom.valuerep import PersonName

from node.identification import NotStorable
from node.revision import Change, change_between
from tests.fuzz import seeds, targets
from tests.received import identify

pytestmark = pytest.mark.filterwarnings("ignore")  # what pydicom thinks of bad values

MOST_MORE_KB = 1_500_000
ITEM, END_OF_ITEM, END_OF_SEQUENCE = (bytes.fromhex(tag) for tag in ("feff00e0", "feff0de0", "feffdde0"))


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of the good slices, which the targets look for beside their seeds."""
    folder = tmp_path_factory.mktemp("fuzz")
    seeds.slices(folder / "slices")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEDAS_FUZZ", str(folder))
        targets._good_slices.cache_clear()
        yield folder
    targets._good_slices.cache_clear()


@pytest.fixture
def image(folder: Path) -> Dataset:
    return dcmread(min((folder / "slices").iterdir()))


def _saved(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _met(content: bytes) -> None:
    """By everything that reads what came; each of these raises where something is not as it must be."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for target in (targets.reception, targets.headers, targets.annotation, targets.slice_of_volume):
        target(content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + MOST_MORE_KB


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless])
@pytest.mark.parametrize(("frames", "bits"), [(1, 16), (2**31 - 1, 16), (1, 64), (1, 0)])
def test_a_header_that_promises_more_pixels_than_there_are(
    image: Dataset, syntax: str, frames: int, bits: int
) -> None:
    image.Rows = image.Columns = 65535
    image.NumberOfFrames, image.BitsAllocated = frames, bits
    if UID(syntax).is_encapsulated:
        image.PixelData = (
            ITEM + bytes(4) + ITEM + struct.pack("<L", 64) + bytes(64) + END_OF_SEQUENCE + bytes(4)
        )
        image["PixelData"].is_undefined_length = True
    _met(_saved(image, syntax))


def test_a_bomb_is_no_revision_of_a_slice(image: Dataset, tmp_path: Path) -> None:
    files = []
    for number, syntax in enumerate((RLELossless, JPEG2000Lossless)):
        image.Rows = image.Columns = 65535
        image.PixelData = (
            ITEM + bytes(4) + ITEM + struct.pack("<L", 64) + bytes(64) + END_OF_SEQUENCE + bytes(4)
        )
        image["PixelData"].is_undefined_length = True
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(_saved(image, syntax))
    assert change_between(*files) is Change.CONTENT


def test_a_megabyte_that_inflates_to_hundreds_is_refused(image: Dataset) -> None:
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta = _saved(image, DeflatedExplicitVRLittleEndian)
    length = 144 + int(dcmread(BytesIO(meta)).file_meta.FileMetaInformationGroupLength)
    packer = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    bomb = meta[:length] + b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()
    assert len(bomb) < 1 << 20
    with pytest.raises(NotStorable, match="inflates to more than 268435456 bytes"):
        identify(bomb)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("is_closed", [True, False])
def test_sequences_10_000_deep(image: Dataset, syntax: str, is_closed: bool) -> None:
    is_explicit = syntax == ExplicitVRLittleEndian
    begin = bytes.fromhex("40003002") + (b"SQ\0\0" if is_explicit else b"") + b"\xff" * 4 + ITEM + b"\xff" * 4
    end = END_OF_ITEM + bytes(4) + END_OF_SEQUENCE + bytes(4)
    del image.PixelData
    _met(_saved(image, syntax) + begin * 10_000 + (end * 10_000 if is_closed else b""))


@pytest.mark.parametrize(
    "uid",
    ["../../etc/passwd", "/etc/passwd", "1." * 40, "1" * 65, "", "1.2\0.3", "..", "1.2/3", "a.b"],
)
@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_uid_that_is_none_names_no_file(image: Dataset, keyword: str, uid: str) -> None:
    image[keyword]._value = UID(uid, validation_mode=0)
    content = _saved(image)
    _met(content)
    with pytest.raises(NotStorable):
        identify(content)


def test_control_characters_in_a_name_hinder_nobody(image: Dataset) -> None:
    image["PatientName"]._value = PersonName("A\x1b[2J\r\n\x07^B=D")
    _met(_saved(image))


def test_every_file_that_pydicom_brings_for_its_tests() -> None:
    folder = Path(pydicom.__file__).parent / "data"
    files = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size < 1 << 20]
    assert len(files) > 50
    for file in files:
        _met(file.read_bytes())


@pytest.mark.realdata
def test_every_awkward_file(real_data: Path) -> None:
    files = [path for path in (real_data / "awkward").rglob("*") if path.is_file()]
    for path in files:
        _met(path.read_bytes())
