"""What a received file is: the UIDs of a DICOM object that is whole, read without its pixels where that can be told."""

import re
import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from inference.unreadable import UNREADABLE
from node.classes import CT_CLASSES
from node.spool import SpoolFile

_UID = re.compile(
    r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*"
)  # PS3.5 section 9; checked before a UID becomes part of a path
_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Rows", "Columns",
    "SamplesPerPixel", "NumberOfFrames", "BitsAllocated",
]  # fmt: skip
MOST_INFLATED_BYTES = 1 << 28
_PART_BYTES = 1 << 20
_META_BYTES = (
    128 + 4 + 12
)  # preamble, prefix, and the element that says how long the file meta is (PS3.10 7.1)
_PIXEL_DATA = b"\xe0\x7f\x10\x00"  # the tag (7FE0,0010) in little endian


class NotStorable(Exception):
    """The bytes cannot be kept as a DICOM object."""


@dataclass(frozen=True)
class Identity:
    """The UIDs of an object."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class Header:
    """The attributes before the pixel data, which begins at a byte of the file and is so many bytes long."""

    ds: Dataset
    pixel_data_at: int
    pixel_data_bytes: int


def read_header(head: bytes) -> Header | None:
    """Of an image with native pixel data, from the first bytes of its file; None where they are something else."""
    tag = head.find(_PIXEL_DATA)
    if tag < 0 or tag + 12 > len(head):
        return None
    is_explicit = head[tag + 4 : tag + 6] in (b"OW", b"OB")  # PS3.5 7.1.2, 7.1.3
    at = tag + (12 if is_explicit else 8)
    try:
        ds = dcmread(BytesIO(head[:tag]), specific_tags=_TAGS)
    except (*UNREADABLE, OSError):
        return None
    return Header(ds, at, int.from_bytes(head[at - 4 : at], "little"))


def identify(file: SpoolFile, header: Header | None) -> Identity:
    """The UIDs of a DICOM file, which must be whole; raises NotStorable. `header` spares reading it, if it is one."""
    try:
        if header is not None and header.pixel_data_at + header.pixel_data_bytes == file.size:
            ds, pixel_data_bytes = header.ds, header.pixel_data_bytes
        else:
            _refuse_bomb(file)
            ds = dcmread(file.path)
            pixel_data_bytes = len(ds.get("PixelData") or b"")
        identity = Identity(
            sop_class_uid=str(ds.SOPClassUID),
            sop_instance_uid=str(ds.SOPInstanceUID),
            study_instance_uid=str(ds.StudyInstanceUID),
            series_instance_uid=str(ds.SeriesInstanceUID),
        )
        missing = _missing_pixel_bytes(ds, pixel_data_bytes)
    except NotStorable:
        raise
    except AttributeError as error:
        raise NotStorable(f"no {error.name or 'UID'}") from error
    except Exception as error:
        raise NotStorable(f"not a readable data set ({type(error).__name__})") from error
    for uid in (identity.sop_instance_uid, identity.study_instance_uid, identity.series_instance_uid):
        if not _UID.fullmatch(uid):
            raise NotStorable("a UID is not one: 1 to 64 digits and dots")
    if missing > 0:
        raise NotStorable(f"pixel data is {missing} bytes short")
    return identity


def _refuse_bomb(file: SpoolFile) -> None:
    """A megabyte may inflate to a thousand (PS3.5 A.5), and a reader inflates all of it in memory."""
    meta = read_file_meta_info(file.path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    inflater, inflated = zlib.decompressobj(wbits=-zlib.MAX_WBITS), 0
    with file.path.open("rb") as content:
        content.seek(_META_BYTES + meta.FileMetaInformationGroupLength)
        while part := inflater.unconsumed_tail or content.read(_PART_BYTES):
            inflated += len(inflater.decompress(part, _PART_BYTES))
            if inflated > MOST_INFLATED_BYTES:
                raise NotStorable(f"inflates to more than {MOST_INFLATED_BYTES} bytes")
            if inflater.eof:
                return


def _missing_pixel_bytes(ds: Dataset, there: int) -> int:
    """How many bytes of uncompressed pixel data are not there (PS3.5 8.1.1); 0 for a whole image."""
    if ds.SOPClassUID not in CT_CLASSES:
        return 0
    if UID(ds.file_meta.TransferSyntaxUID).is_encapsulated:
        return 0 if there else 1
    frames = int(ds.get("NumberOfFrames") or 1)
    expected = ds.Rows * ds.Columns * ds.get("SamplesPerPixel", 1) * frames * ds.BitsAllocated // 8
    return max(0, int(expected) - there)
