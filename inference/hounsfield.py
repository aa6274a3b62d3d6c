"""The stored pixels of one CT file in Hounsfield units."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

AIR_HU = -1024  # everything below, padding included, is outside the patient
PIXEL_TAGS = (
    "SamplesPerPixel", "NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored",
    "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept",
)  # fmt: skip
"""What `pixels` looks at in a header."""

_LARGEST = int(np.iinfo(np.int16).max)
_NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_PIXEL_DATA = bytes.fromhex("e07f1000")  # (7FE0,0010) in little endian


@dataclass(frozen=True)
class Pixels:
    """Where a file keeps the pixels of one image, and what turns them into Hounsfield units."""

    path: Path
    shape: tuple[int, int]  # rows, columns
    held_bytes: int  # of pixel data; of the whole file where they are compressed
    is_plain: bool  # neither compressed nor deflated
    at: int | None  # where 16-bit little-endian pixels begin, which need no decoder
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    padding: tuple[int, int] | None  # stored values, from and to
    slope: float
    intercept: float

    @property
    def needed_bytes(self) -> int:
        return self.shape[0] * self.shape[1] * self.bits_allocated // 8


def pixels(ds: Dataset, path: Path, file: BinaryIO) -> Pixels:
    """`file` stands where a reader that stops before the pixels has left it."""
    syntax = UID(str(ds.file_meta.get("TransferSyntaxUID", "")))
    plain = not syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian
    held = path.stat().st_size - (file.tell() if plain else 0)
    at = None
    if syntax in _NATIVE and (int(ds.BitsAllocated), int(ds.SamplesPerPixel)) == (16, 1):
        length = _pixel_data_bytes(file, 8 if syntax == ImplicitVRLittleEndian else 12)
        at, held = file.tell(), min(length, held)
    return Pixels(
        path=path,
        shape=(int(ds.Rows), int(ds.Columns)),
        held_bytes=held,
        is_plain=plain,
        at=at,
        bits_allocated=int(ds.BitsAllocated),
        bits_stored=int(ds.BitsStored),
        is_signed=int(ds.PixelRepresentation) == 1,
        padding=_padding(ds),
        slope=float(ds.RescaleSlope),
        intercept=float(ds.RescaleIntercept),
    )


def _pixel_data_bytes(file: BinaryIO, header_bytes: int) -> int:
    """The length that the header of the Pixel Data element gives (PS3.5 7.1)."""
    header = file.read(header_bytes)
    if header[:4] != _PIXEL_DATA:
        raise ValueError("no Pixel Data behind the header")
    return int.from_bytes(header[-4:], "little")


def _padding(ds: Dataset) -> tuple[int, int] | None:
    """PS3.3 C.7.5.1.1.2: one value, or a range with PixelPaddingRangeLimit."""
    if ds.get("PixelPaddingValue") is None:
        return None
    first = int(ds.PixelPaddingValue)
    last = int(ds.get("PixelPaddingRangeLimit") or first)
    return min(first, last), max(first, last)


def decode(image: Pixels, out: NDArray[np.int16]) -> None:
    """Into `out` (rows, columns). Errors of the decoder pass through; `volume.py` translates them."""
    stored = _stored(image)
    if stored.shape != out.shape:
        raise ValueError(f"{stored.shape} pixels, expected {out.shape}")
    values = _stored_bits(image, stored)
    whole = image.slope == 1.0 and image.intercept.is_integer() and abs(image.intercept) <= _LARGEST
    if whole and values.itemsize == out.itemsize:
        _shift(values, int(image.intercept), out)
    else:
        rescaled = values.astype(np.float32) * image.slope + image.intercept
        out[...] = np.rint(np.clip(rescaled, AIR_HU, _LARGEST))
    if image.padding:  # compared before masking
        low, high = image.padding
        out[(stored >= low) & (stored <= high)] = AIR_HU


def _shift(values: NDArray[Any], intercept: int, out: NDArray[np.int16]) -> None:
    """The same numbers as in floating point, in 16 bits throughout: a clipped value and its sum fit, if not its sign."""
    limits = np.iinfo(values.dtype)
    lowest, highest = max(AIR_HU - intercept, limits.min), min(_LARGEST - intercept, limits.max)
    np.clip(values, lowest, highest, out=out.view(values.dtype))
    out += np.int16(intercept)


def _stored(image: Pixels) -> NDArray[Any]:
    if image.at is None:
        return pixel_array(dcmread(image.path), correct_unused_bits=False)
    dtype = "<i2" if image.is_signed else "<u2"
    rows, columns = image.shape
    return np.fromfile(image.path, dtype, rows * columns, offset=image.at).reshape(image.shape)


def _stored_bits(image: Pixels, stored: NDArray[Any]) -> NDArray[Any]:
    """Bits above HighBit are not part of the value (PS3.5 8.1.1): old scanners keep overlays there."""
    unused = image.bits_allocated - image.bits_stored
    return (stored << unused) >> unused if unused > 0 else stored
