"""A synthetic chest CT of known truth, for the demo, the tests and the demonstration model's training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.extent import longest_axial_mm
from inference.findings import Position
from inference.morphology import distance_mm
from inference.synthetic.anatomy import Anatomy, draw_anatomy
from inference.synthetic.lesions import (
    Lesion,
    NoPlaceForLesion,
    draw_lesion,
    extent_of,
    fitted,
    ipn_like,
    pima_like,
    tolerance_mm,
)
from inference.synthetic.lobes import Lobe, lobe_at
from inference.synthetic.study import SeriesFacts, ct_image
from inference.synthetic.thorax import draw_thorax
from inference.synthetic.tubes import Grid, Hu
from inference.volume import CtVolume

SHARP_KERNEL = "B70f"
SOFT_KERNEL = "B40f"
_TRIES = 50
_LOBE_TRIES = 12
_CLEAR_MM = 15.0  # between the lesions of one chest


class LesionKind(StrEnum):
    PIMA_LIKE = "pima_like"
    IPN_LIKE = "ipn_like"


@dataclass(frozen=True)
class Drawn:
    """One lesion as it came out."""

    kind: LesionKind
    extent: NDArray[np.bool_]  # z, y, x
    position_mm: Position  # centre
    size_mm: float  # longest diameter in an axial plane


@dataclass(frozen=True)
class Phantom:
    seed: int
    hu: NDArray[np.int16]  # z, y, x; z from feet to head
    spacing_mm: tuple[float, float, float]  # z, y, x
    origin_mm: Position  # centre of the first voxel: ImagePositionPatient of the lowest slice
    lungs: NDArray[np.bool_]  # z, y, x; lesion and vessels included, trachea not
    lesion: NDArray[np.bool_]  # z, y, x; empty without a lesion
    kind: LesionKind | None
    position_mm: Position | None  # centre of the lesion
    size_mm: float | None  # its longest diameter in an axial plane
    kernel: str
    others: tuple[Drawn, ...] = ()  # further lesions
    lobe: Lobe | None = None  # that was asked for; the centre of the lesion lies in it


def chest(  # noqa: PLR0913 - a phantom is described by as many facts
    *,
    seed: int,
    lesion: LesionKind | None,
    size_mm: float | None = None,
    lobe: Lobe | None = None,
    slice_mm: float = 5.0,
    pixel_mm: float = 0.7,
    pixels: int = 512,
    coverage_mm: float = 300.0,
    kernel: str = SHARP_KERNEL,
    noise_hu: float | None = None,
    others: Sequence[tuple[LesionKind, float]] = (),
) -> Phantom:
    """A chest drawn from `seed`; the person and the lesion do not depend on the sampling.

    `noise_hu` is the standard deviation before the kernel; without it `seed` decides that too.
    In a `lobe` the lesion comes out as large as `size_mm`, as far as the lung has room; elsewhere that is its nominal
    size, and what is drawn varies about it. Raises NoPlaceForLesion.
    `others` are further lesions by kind and size in mm, clear of the first and of one another.
    """
    rng = np.random.default_rng(seed)
    person = draw_anatomy(rng)
    grid = _grid(person, slice_mm, pixel_mm, pixels, coverage_mm)
    hu, lungs = draw_thorax(person, grid, rng)
    extent = np.zeros(hu.shape, dtype=np.bool_)
    if lesion is not None:
        extent = _add_lesion(hu, grid, person, lesion, size_mm, rng, lobe)
    more = _add_others(hu, grid, person, others, extent, rng)
    return Phantom(
        seed=seed,
        hu=_scanned(hu, kernel, noise_hu, rng),
        spacing_mm=(slice_mm, pixel_mm, pixel_mm),
        origin_mm=(float(grid.x[0]), float(grid.y[0]), float(grid.z[0])),
        lungs=np.logical_or.reduce([lungs, extent, *(drawn.extent for drawn in more)]),
        lesion=extent,
        kind=lesion,
        position_mm=_centre(extent, grid),
        size_mm=longest_axial_mm(extent, (slice_mm, pixel_mm, pixel_mm)) or None,
        kernel=kernel,
        others=tuple(more),
        lobe=lobe,
    )


def _grid(person: Anatomy, slice_mm: float, pixel_mm: float, pixels: int, coverage_mm: float) -> Grid:
    across = ((np.arange(pixels) - (pixels - 1) / 2) * pixel_mm).astype(np.float32)
    count = round(coverage_mm / slice_mm)
    lowest = (person.height - coverage_mm) * 0.55
    return Grid(
        x=across,
        y=across,
        z=(lowest + (np.arange(count) + 0.5) * slice_mm).astype(np.float32),
        pixel=pixel_mm,
        thickness=slice_mm,
    )


def _add_lesion(
    hu: Hu,
    grid: Grid,
    person: Anatomy,
    kind: LesionKind,
    size_mm: float | None,
    rng: np.random.Generator,
    lobe: Lobe | None = None,
) -> NDArray[np.bool_]:
    size = size_mm or _drawn_size_mm(kind, rng)
    if lobe is None:
        return draw_lesion(hu, grid, _lesion(kind, size, person, rng), person)
    return draw_lesion(hu, grid, _lesion_in(lobe, kind, size, grid, person, rng), person)


def _drawn_size_mm(kind: LesionKind, rng: np.random.Generator) -> float:
    match kind:
        case LesionKind.PIMA_LIKE:
            return float(np.clip(rng.lognormal(np.log(40.0), 0.4), 18.0, 80.0))
        case LesionKind.IPN_LIKE:
            return float(np.clip(rng.lognormal(np.log(24.0), 0.35), 12.0, 50.0))


def _lesion(
    kind: LesionKind, size_mm: float, person: Anatomy, rng: np.random.Generator, lobe: Lobe | None = None
) -> Lesion:
    match kind:
        case LesionKind.PIMA_LIKE:
            return pima_like(size_mm, person, rng, lobe)
        case LesionKind.IPN_LIKE:
            return ipn_like(size_mm, person, rng, lobe)


def _lesion_in(
    lobe: Lobe, kind: LesionKind, size_mm: float, grid: Grid, person: Anatomy, rng: np.random.Generator
) -> Lesion:
    """The first whose centre lies in `lobe` and that has the size; if none has it, the one that comes nearest."""
    nearest: tuple[float, Lesion] | None = None
    for _ in range(_LOBE_TRIES):
        lesion, measured = fitted(_lesion(kind, size_mm, person, rng, lobe), size_mm, grid, person)
        centre = _centre(extent_of(grid, lesion, person), grid)
        if centre is None or lobe_at(centre, person) is not lobe:
            continue
        off = abs(measured - size_mm)
        if off <= tolerance_mm(size_mm, grid):
            return lesion
        if nearest is None or off < nearest[0]:
            nearest = off, lesion
    if nearest is None:
        raise NoPlaceForLesion(f"no place for a lesion of {size_mm:.0f} mm in the {lobe}")
    return nearest[1]


def _add_others(
    hu: Hu,
    grid: Grid,
    person: Anatomy,
    others: Sequence[tuple[LesionKind, float]],
    taken: NDArray[np.bool_],
    rng: np.random.Generator,
) -> list[Drawn]:
    """Each is drawn again until it lies clear of those before it."""
    drawn: list[Drawn] = []
    for kind, size_mm in others:
        for _ in range(_TRIES):
            image = hu.copy()
            extent = _add_lesion(image, grid, person, kind, size_mm, rng)
            if (centre := _centre(extent, grid)) and not _near(extent, taken, grid):
                break
        else:
            raise NoPlaceForLesion(f"no place for {len(others)} more lesions")
        hu[...] = image
        taken = taken | extent
        size = longest_axial_mm(extent, (grid.thickness, grid.pixel, grid.pixel))
        drawn.append(Drawn(kind, extent, centre, size))
    return drawn


def _near(one: NDArray[np.bool_], other: NDArray[np.bool_], grid: Grid) -> bool:
    spacing = (grid.thickness, grid.pixel, grid.pixel)
    return bool(other.any() and (distance_mm(other, spacing)[one] < _CLEAR_MM).any())


def _scanned(hu: Hu, kernel: str, noise_hu: float | None, rng: np.random.Generator) -> NDArray[np.int16]:
    """What the scanner's kernel makes of it: sharp edges and fine noise, or soft and coarse."""
    noise = rng.standard_normal(hu.shape, dtype=np.float32)
    sharp = kernel == SHARP_KERNEL
    level = rng.uniform(*((25, 50) if sharp else (20, 35))) if noise_hu is None else noise_hu
    if sharp:
        image = hu + 0.5 * (hu - _blurred(hu)) + level * (noise - 0.6 * _blurred(noise))
    else:
        image = _blurred(hu) + level * _blurred(noise)
    image[hu <= -1024.0] = -1024.0
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def _blurred(image: Hu) -> Hu:
    """In-plane, with weights 1 2 1."""
    result = image
    for axis in (1, 2):
        result = 0.5 * result + 0.25 * (np.roll(result, 1, axis) + np.roll(result, -1, axis))
    return result


def _centre(extent: NDArray[np.bool_], grid: Grid) -> Position | None:
    if not extent.any():
        return None
    z, y, x = (
        float(axis[index].mean())
        for axis, index in zip((grid.z, grid.y, grid.x), np.nonzero(extent), strict=True)
    )
    return (x, y, z)


def as_volume(phantom: Phantom, *, series_number: int = 2) -> CtVolume:
    """What `volume.load` makes of the files that `write_study` writes."""
    series, count = _series(phantom, series_number), len(phantom.hu)
    return CtVolume(
        hu=phantom.hu,
        spacing_mm=phantom.spacing_mm,
        orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        positions_mm=tuple(series.position_mm(index) for index in range(count)),
        sop_instance_uids=tuple(series.sop_instance_uid(index) for index in range(count)),
        instance_numbers=tuple(range(1, count + 1)),
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
        kernel=phantom.kernel,
        slice_thickness_mm=phantom.spacing_mm[0],
        findings=(),
        load_s=0.0,
    )


def write_study(
    phantom: Phantom, folder: Path, *, series_number: int = 2, header: Mapping[str, object] | None = None
) -> list[Path]:
    """One CT file a slice, from feet to head; `header` replaces attributes by keyword in every file."""
    folder.mkdir(parents=True, exist_ok=True)
    series = _series(phantom, series_number)
    paths = []
    for index, plane in enumerate(phantom.hu):
        ds = ct_image(plane, index, series)
        for keyword, value in (header or {}).items():
            setattr(ds, keyword, value)
        paths.append(folder / f"{series_number}-{index + 1:04d}.dcm")
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def _series(phantom: Phantom, number: int) -> SeriesFacts:
    return SeriesFacts(
        seed=phantom.seed,
        case=f"{phantom.kind} {phantom.size_mm}" + (f" {phantom.lobe}" if phantom.lobe else ""),
        number=number,
        kernel=phantom.kernel,
        spacing_mm=phantom.spacing_mm,
        origin_mm=phantom.origin_mm,
    )
