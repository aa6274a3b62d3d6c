"""CT files of one series to one volume in Hounsfield units. Start at `load`.

Refuses, as `VolumeRefused`, what it cannot stand for; messages carry UIDs and counts, never names.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID, CTImageStorage

from inference import acquisitions, quality
from inference.findings import InputQuality, Position
from inference.geometry import Orientation, Stack, heights_mm, is_axial, order, orientation
from inference.hounsfield import PIXEL_TAGS, Pixels, decode, pixels
from inference.memory import available_bytes
from inference.unreadable import UNREADABLE, is_of_content

MINIMUM_SLICES = 2
BYTES_PER_VOXEL = 8.0
"""What an analysis allocates: measured 5.2 with the threshold segmenter at 300 and 800 slices, and room for another."""

_READERS = 2  # threads that read pixels; headers are parsed under the interpreter's lock
_BOMB = 1000  # times the file's bytes: no slice of a patient compresses so well
_SAME_MM = 0.01
_TAGS = [Tag(keyword) for keyword in (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "InstanceNumber",
    *acquisitions.TAGS, *quality.TAGS, *PIXEL_TAGS,
)]  # fmt: skip


class VolumeRefused(ValueError):
    """These files make no volume we can stand for."""


class NotDicom(VolumeRefused):
    """A file that cannot be read as DICOM."""


class NotACtSlice(VolumeRefused):
    """Another kind of object, or a CT in one multi-frame object."""


class NotDecodable(VolumeRefused):
    """Pixel data that no decoder here reads, or that is shorter than its header says."""


class PixelBomb(VolumeRefused):
    """A header that promises far more pixels than its file can hold."""


class TooLargeForMemory(MemoryError):
    """More voxels than can be analysed in the memory that is free now; no refusal, there may be more later."""


class NoGeometry(VolumeRefused):
    """Position, orientation, spacing or rescaling is absent or impossible."""


class NotOneSeries(VolumeRefused):
    """More than one study, series, frame of reference or pixel grid."""


class TooFewSlices(VolumeRefused):
    """Fewer different positions than make a volume."""


class BrokenCoverage(VolumeRefused):
    """So much is missing between the slices that what lies there cannot be told."""


class NoLungs(VolumeRefused):
    """So little lung was found that the series is no chest, or that the segmenter failed on it."""


@dataclass(frozen=True, eq=False)
class CtVolume:
    """One series. The rows and columns are those of the source slices, whatever way they are turned."""

    hu: NDArray[np.int16]  # z, y, x; z from feet to head
    spacing_mm: tuple[float, float, float]  # z, y, x
    orientation: Orientation  # ImageOrientationPatient
    positions_mm: tuple[Position, ...]  # ImagePositionPatient of each slice
    sop_instance_uids: tuple[str, ...]
    instance_numbers: tuple[int | None, ...]
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str  # empty if the images name none
    kernel: str
    slice_thickness_mm: float | None
    findings: tuple[InputQuality, ...]
    load_s: float

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing_mm)) / 1000.0

    def position_mm(self, z: float, y: float, x: float) -> Position:
        """Of a point in voxel coordinates (PS3.3 C.7.6.2.1.1); between slices it is interpolated."""
        slices = np.asarray(self.positions_mm)
        start = [np.interp(z, np.arange(len(slices)), slices[:, axis]) for axis in range(3)]
        along_row, along_column = np.reshape(self.orientation, (2, 3))
        point = start + x * self.spacing_mm[2] * along_row + y * self.spacing_mm[1] * along_column
        return (float(point[0]), float(point[1]), float(point[2]))


@dataclass(frozen=True, eq=False)
class _Slice:
    header: Dataset  # what `_TAGS` names
    pixels: Pixels
    position: Position
    orientation: Orientation
    pixel_mm: tuple[float, float]  # between rows, between columns

    @property
    def uid(self) -> str:
        return str(self.header.SOPInstanceUID)

    @property
    def instance_number(self) -> int | None:
        try:
            return int(self.header.InstanceNumber)
        except (AttributeError, TypeError, ValueError):
            return None


def load(paths: Sequence[Path], *, limit_bytes: int | None = None) -> CtVolume:
    """The files may come in any order; a position seen twice counts once.

    Every header is checked before the first pixel is read. `limit_bytes` is what the analysis may
    allocate; without it, what the machine has left.
    """
    started = time.perf_counter()
    known: _Known = {}
    slices = [_read(path, known) for path in paths]
    if len(slices) < MINIMUM_SLICES:
        raise TooFewSlices(f"{len(slices)} slices, expected at least {MINIMUM_SLICES}")
    _refuse_mixture(slices)
    _refuse_too_large(slices, available_bytes() if limit_bytes is None else limit_bytes)
    slices.sort(key=lambda s: (s.instance_number is None, s.instance_number or 0, s.uid))
    passed = acquisitions.one_pass(
        [s.header for s in slices], heights_mm(slices[0].orientation, [s.position for s in slices])
    )
    slices = [slices[i] for i in passed.slices]
    stack = order(slices[0].orientation, [s.position for s in slices], same_mm=_SAME_MM)
    _refuse_broken(stack)
    kept = [slices[i] for i in stack.kept]
    first = kept[0]
    return CtVolume(
        hu=_decoded(kept),
        spacing_mm=(stack.spacing_mm, *first.pixel_mm),
        orientation=first.orientation,
        positions_mm=tuple(s.position for s in kept),
        sop_instance_uids=tuple(s.uid for s in kept),
        instance_numbers=tuple(s.instance_number for s in kept),
        study_instance_uid=str(first.header.StudyInstanceUID),
        series_instance_uid=str(first.header.SeriesInstanceUID),
        frame_of_reference_uid=str(first.header.get("FrameOfReferenceUID") or ""),
        kernel=_kernel(first.header),
        slice_thickness_mm=_positive(first.header.get("SliceThickness")),
        findings=(
            *passed.findings,
            *quality.of_stack(stack),
            *quality.of_headers([s.header for s in kept], _kernel(first.header), stack.spacing_mm),
        ),
        load_s=time.perf_counter() - started,
    )


_Known = dict[tuple[object, ...], DataElement]


def _read(path: Path, known: _Known) -> _Slice:
    """The header, and where the pixels are."""
    with path.open("rb") as file:
        try:
            ds = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
            _convert(ds, known)
            what = str(ds.get("SOPInstanceUID", "without SOP Instance UID"))
            kind = UID(str(ds.get("SOPClassUID", "")))
        except UNREADABLE as error:
            raise NotDicom(f"a file is not readable DICOM: {type(error).__name__}") from None
        except OSError as error:
            if is_of_content(error):
                raise NotDicom("a file is not readable DICOM: it ends early") from None
            raise
        if kind != CTImageStorage or int(ds.get("NumberOfFrames") or 1) != 1:
            raise NotACtSlice(
                f"{what} is {kind.name or 'of no SOP class'}, expected single-frame CT Image Storage"
            )
        position, turned, pixel_mm = _geometry(ds, what)
        try:
            image = pixels(ds, path, file)
        except UNREADABLE as error:
            raise NotDecodable(f"{what}: its pixels are not described ({type(error).__name__})") from None
    _refuse_bomb(image, what)
    return _Slice(ds, image, position, turned, pixel_mm)


def _convert(ds: Dataset, known: _Known) -> None:
    """Bytes to values, once for all slices that share them; what cannot be read counts as absent."""
    signed = ds.get("PixelRepresentation")  # decides how some others are read (PS3.5 A.1)
    for tag in list(ds.keys()):
        raw = ds.get_item(tag)
        if not isinstance(raw, RawDataElement) or not isinstance(raw.value, bytes):
            continue
        same = (raw.tag, raw.VR, raw.value, raw.is_little_endian, signed)
        try:
            if same not in known:
                known[same] = ds[tag]
            ds[tag] = known[same]
        except UNREADABLE:
            del ds[tag]


def _refuse_bomb(image: Pixels, what: str) -> None:
    if image.needed_bytes > _BOMB * max(image.held_bytes, 1):
        raise PixelBomb(f"{what}: {image.shape} pixels said to be in {image.held_bytes} bytes")
    if image.is_plain and image.needed_bytes > image.held_bytes:
        raise NotDecodable(f"{what}: {image.held_bytes} bytes of pixels, expected {image.needed_bytes}")


def _refuse_too_large(slices: Sequence[_Slice], limit_bytes: int | None) -> None:
    rows, columns = slices[0].pixels.shape
    needed = len(slices) * rows * columns * BYTES_PER_VOXEL
    if limit_bytes is not None and needed > limit_bytes:
        raise TooLargeForMemory(
            f"{len(slices)} slices of {rows} x {columns} need {needed / 1e9:.2f} GB, {limit_bytes / 1e9:.2f} GB are free"
        )


def _decoded(kept: Sequence[_Slice]) -> NDArray[np.int16]:
    hu = np.empty((len(kept), *kept[0].pixels.shape), dtype=np.int16)
    with ThreadPoolExecutor(_READERS) as pool:
        for _ in pool.map(_decode, kept, hu):
            pass
    return hu


def _decode(one: _Slice, out: NDArray[np.int16]) -> None:
    try:
        decode(one.pixels, out)
    except UNREADABLE as error:
        syntax = UID(str(one.header.file_meta.get("TransferSyntaxUID", "")))
        raise NotDecodable(f"{one.uid} in {syntax.name} cannot be decoded ({type(error).__name__})") from None


def _geometry(ds: Dataset, what: str) -> tuple[Position, Orientation, tuple[float, float]]:
    try:
        x, y, z = (float(v) for v in ds.ImagePositionPatient)
        turned = orientation([float(v) for v in ds.ImageOrientationPatient])
        rows, columns = (float(v) for v in ds.PixelSpacing)
        numbers = (x, y, z, rows, columns, float(ds.RescaleSlope), float(ds.RescaleIntercept))
        study, series = str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)
    except (AttributeError, TypeError, ValueError) as error:
        raise NoGeometry(
            f"{what}: position, orientation, spacing or rescaling is absent or no number ({type(error).__name__})"
        ) from None
    if not (np.isfinite(numbers).all() and min(rows, columns) > 0 and study and series):
        raise NoGeometry(f"{what}: position, spacing or rescaling is not a number: {numbers}")
    if not is_axial(turned):
        raise NoGeometry(f"{what}: orientation {turned} is not axial")
    return (x, y, z), turned, (rows, columns)


def _refuse_mixture(slices: Sequence[_Slice]) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Rows", "Columns"):
        values = {str(s.header.get(keyword, "")) for s in slices}
        if len(values) > 1:
            raise NotOneSeries(
                f"{len(values)} different {keyword} in {len(slices)} slices: {sorted(values)[:3]}"
            )
    for name, numbers in (
        ("orientation", [s.orientation for s in slices]),
        ("spacing", [s.pixel_mm for s in slices]),
    ):
        spread = float(np.ptp(np.asarray(numbers), axis=0).max())
        if spread > 1e-2:
            raise NotOneSeries(f"{name} differs by up to {spread:.3f} between {len(slices)} slices")


def _refuse_broken(stack: Stack) -> None:
    if len(stack.kept) < MINIMUM_SLICES:
        raise TooFewSlices(f"{len(stack.kept)} different positions, expected at least {MINIMUM_SLICES}")
    if stack.missing > max(2, 0.1 * len(stack.kept)) or stack.widest_gap_mm > max(
        20.0, 3.5 * stack.spacing_mm
    ):
        raise BrokenCoverage(
            f"{stack.missing} slices missing between {len(stack.kept)}, widest gap {stack.widest_gap_mm:.1f} mm"
            f" where {stack.spacing_mm:.1f} mm is usual"
        )


def _kernel(header: Dataset) -> str:
    value = header.get("ConvolutionKernel") or ""
    return value if isinstance(value, str) else "\\".join(str(v) for v in value)


def _positive(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if number > 0 else None
