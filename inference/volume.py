"""CT files of one series to one volume in Hounsfield units. Start at `load`.

Refuses, as `VolumeRefused`, what it cannot stand for; messages carry UIDs and counts, never names.
"""

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, CTImageStorage

from inference import quality
from inference.findings import InputQuality, Position
from inference.geometry import Orientation, Stack, is_axial, order, orientation
from inference.hounsfield import hounsfield

MINIMUM_SLICES = 2
_SAME_MM = 0.01
# What pydicom and its decoders raise on damaged or unknown content.
_DECODING_ERRORS = (AttributeError, EOFError, KeyError, NotImplementedError, OverflowError, RuntimeError,
                    TypeError, ValueError, struct.error)  # fmt: skip


class VolumeRefused(ValueError):
    """These files make no volume we can stand for."""


class NotDicom(VolumeRefused):
    """A file that cannot be read as DICOM."""


class NotACtSlice(VolumeRefused):
    """Another kind of object, or a CT in one multi-frame object."""


class NotDecodable(VolumeRefused):
    """Pixel data that no decoder here reads, or that is shorter than its header says."""


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
    header: Dataset  # without pixel data
    hu: NDArray[np.int16]
    position: Position
    orientation: Orientation
    pixel_mm: tuple[float, float]  # between rows, between columns

    @property
    def instance_number(self) -> int | None:
        try:
            return int(self.header.InstanceNumber)
        except (AttributeError, TypeError, ValueError):
            return None


def load(paths: Sequence[Path]) -> CtVolume:
    """The files may come in any order; a position seen twice counts once."""
    started = time.perf_counter()
    slices = [_read(path) for path in paths]
    if len(slices) < MINIMUM_SLICES:
        raise TooFewSlices(f"{len(slices)} slices, expected at least {MINIMUM_SLICES}")
    _refuse_mixture(slices)
    slices.sort(
        key=lambda s: (s.instance_number is None, s.instance_number or 0, str(s.header.SOPInstanceUID))
    )
    stack = order(slices[0].orientation, [s.position for s in slices], same_mm=_SAME_MM)
    _refuse_broken(stack)
    kept = [slices[i] for i in stack.kept]
    first = kept[0]
    return CtVolume(
        hu=np.stack([s.hu for s in kept]),
        spacing_mm=(stack.spacing_mm, *first.pixel_mm),
        orientation=first.orientation,
        positions_mm=tuple(s.position for s in kept),
        sop_instance_uids=tuple(str(s.header.SOPInstanceUID) for s in kept),
        instance_numbers=tuple(s.instance_number for s in kept),
        study_instance_uid=str(first.header.StudyInstanceUID),
        series_instance_uid=str(first.header.SeriesInstanceUID),
        kernel=_kernel(first.header),
        slice_thickness_mm=_positive(first.header.get("SliceThickness")),
        findings=(
            *quality.of_stack(stack),
            *quality.of_headers([s.header for s in kept], _kernel(first.header)),
        ),
        load_s=time.perf_counter() - started,
    )


def _read(path: Path) -> _Slice:
    try:
        ds = pydicom.dcmread(path)
        what = str(ds.get("SOPInstanceUID", "without SOP Instance UID"))
        kind = UID(str(ds.get("SOPClassUID", "")))
    except (InvalidDicomError, *_DECODING_ERRORS) as error:
        raise NotDicom(f"a file is not readable DICOM: {type(error).__name__}") from None
    if kind != CTImageStorage or int(ds.get("NumberOfFrames") or 1) != 1:
        raise NotACtSlice(
            f"{what} is {kind.name or 'of no SOP class'}, expected single-frame CT Image Storage"
        )
    position, turned, pixel_mm = _geometry(ds, what)
    hu = _decoded(ds, what)
    del ds.PixelData
    return _Slice(ds, hu, position, turned, pixel_mm)


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


def _decoded(ds: Dataset, what: str) -> NDArray[np.int16]:
    syntax = ds.file_meta.get("TransferSyntaxUID", UID(""))
    try:
        hu = hounsfield(ds)
    except _DECODING_ERRORS as error:
        raise NotDecodable(f"{what} in {syntax.name} cannot be decoded ({type(error).__name__})") from None
    if hu.shape != (ds.Rows, ds.Columns):
        raise NotDecodable(f"{what}: {hu.shape} pixels, expected {(ds.Rows, ds.Columns)}")
    return hu


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
