"""What a received file is: the UIDs of a DICOM object that is whole, read without its pixels where that can be told."""

import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import cast

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator, read_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from inference.unreadable import UNREADABLE
from node.classes import CT_CLASSES
from node.spool import SpoolFile

_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")  # PS3.5 9.1: before one becomes part of a path
_TAGS = [
    Tag(keyword)
    for keyword in (
        "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
        "Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames",
    )
]  # fmt: skip
MOST_INFLATED_BYTES = 1 << 28
_PART_BYTES = 1 << 20
_META_BYTES = 128 + 4 + 12  # preamble, prefix, and how long the file meta is (PS3.10 7.1)
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

    @property
    def uids(self) -> tuple[str, str, str]:
        """Of instance, study and series."""
        return self.sop_instance_uid, self.study_instance_uid, self.series_instance_uid


@dataclass(frozen=True)
class Header:
    """Who an image is, and where its native pixel data begins in the file, how long it is and at least has to be."""

    identity: Identity
    pixel_data_at: int
    pixel_data_bytes: int
    needed_bytes: int

    def is_all_but_pixels_of(self, file_bytes: int) -> bool:
        return self.needed_bytes <= self.pixel_data_bytes == file_bytes - self.pixel_data_at


def read_header(head: bytes) -> Header | None:
    """Of a CT image in a plain transfer syntax, from the first bytes of its file as we write it.

    None for anything else, or anything odd: that takes reading the file.
    """
    body = _META_BYTES + int.from_bytes(head[_META_BYTES - 4 : _META_BYTES], "little")
    is_implicit = _is_implicit(head[_META_BYTES:body])
    tag = head.find(_PIXEL_DATA, body)
    if is_implicit is None or tag < 0:
        return None
    at = tag + (8 if is_implicit else 12)  # PS3.5 7.1.2, 7.1.3
    elements = data_element_generator(BytesIO(head[body:tag]), is_implicit, True, specific_tags=[*_TAGS])
    try:
        raw = {int(element.tag): cast("bytes", element.value) for element in elements}
        identity = Identity(*(raw[uid].rstrip(b"\0 ").decode("ascii") for uid in _TAGS[:4]))
        rows, columns, samples, bits = (int.from_bytes(raw[number], "little") for number in _TAGS[4:8])
        frames = int(raw.get(_TAGS[8], b"1"))
    except (*UNREADABLE, OSError):
        return None
    if identity.sop_class_uid not in CT_CLASSES or not all(_UID.fullmatch(uid) for uid in identity.uids):
        return None
    needed = rows * columns * samples * frames * bits // 8
    return Header(identity, at, int.from_bytes(head[at - 4 : at], "little"), needed)


def _is_implicit(meta: bytes) -> bool | None:
    """By the transfer syntax in the file meta; None for another one."""
    at = meta.find(b"\x02\x00\x10\x00UI")
    length = int.from_bytes(meta[at + 6 : at + 8], "little")
    syntax = meta[at + 8 : at + 8 + length].rstrip(b"\0").decode("latin-1")
    return {ImplicitVRLittleEndian: True, ExplicitVRLittleEndian: False}.get(UID(syntax)) if at >= 0 else None


def identify(file: SpoolFile, header: Header | None) -> Identity:
    """The UIDs of a DICOM file, which must be whole; raises NotStorable. `header` spares reading it, if it is one."""
    if header is not None and header.is_all_but_pixels_of(file.size):
        return header.identity
    try:
        _refuse_bomb(file)
        ds = dcmread(file.path)
        identity = Identity(
            sop_class_uid=str(ds.SOPClassUID),
            sop_instance_uid=str(ds.SOPInstanceUID),
            study_instance_uid=str(ds.StudyInstanceUID),
            series_instance_uid=str(ds.SeriesInstanceUID),
        )
        missing = _missing_pixel_bytes(ds, len(ds.get("PixelData") or b""))
    except NotStorable:
        raise
    except AttributeError as error:
        raise NotStorable(f"no {error.name or 'UID'}") from error
    except Exception as error:
        raise NotStorable(f"not a readable data set ({type(error).__name__})") from error
    if not all(_UID.fullmatch(uid) for uid in identity.uids):
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
