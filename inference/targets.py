"""Automatic candidates for the target lesion: thick, compact soft tissue in the lung field. Unvalidated.

Thickness tells a lesion from the vessels that enter it: the field is searched for what a ball of
13, 10 … 4 mm radius fits into, from thick to thin, so that a mass is taken whole before its vessels are looked at.
The first by `_Part.score` is the target; the score and its least value were set on synthetic phantoms.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.annotations import Annotation
from inference.coarse import Coarse, coarse
from inference.extent import longest_axial_mm
from inference.findings import InputQuality, SlicePolicy, Target
from inference.morphology import Mask, Spacing, components, dilated, opened
from inference.volume import CtVolume

MOST_CANDIDATES = 11  # the target and ten others
_TISSUE_HU = -400.0
_RADII_MM = (16.0, 13.0, 10.0, 8.0, 6.5, 5.0, 4.0)
_SMALLEST_ML = 0.2
_SLENDER = 3.2  # times its thickness: a vessel or a fold, not a nodule
_VERTICAL = 0.7  # of a length along z: thick slices draw it out
_LEAST_SCORE = 9.0
_RIM_MM = 4.0  # what opening takes off a lesion's edge


@dataclass(frozen=True, eq=False)
class Region:
    """A target with its extent, kept as a box of the volume."""

    target: Target
    shown: tuple[int, ...]  # the slices of the volume that show it, from feet to head
    corner: tuple[int, int, int]  # z, y, x of the box in the volume
    extent: Mask  # z, y, x; the box

    def plane(self, index: int, shape: tuple[int, int]) -> Mask:
        """The extent in one slice of the volume, rows by columns."""
        plane = np.zeros(shape, dtype=np.bool_)
        z, (rows, columns) = index - self.corner[0], self.extent.shape[1:]
        if 0 <= z < len(self.extent):
            plane[self.corner[1] :, self.corner[2] :][:rows, :columns] = self.extent[z]
        return plane


@dataclass(frozen=True, eq=False)
class Selection:
    """The target first, then the other candidates; no region if there is none."""

    policy: SlicePolicy
    regions: tuple[Region, ...] = ()
    findings: tuple[InputQuality, ...] = ()  # annotations that could not be used, and why


class TargetSelector(Protocol):
    def __call__(self, volume: CtVolume, lungs: Mask, annotations: Sequence[Annotation], /) -> Selection: ...


@dataclass(frozen=True, eq=False)
class _Part:
    """A piece of soft tissue in the lung field."""

    core: Mask  # where the ball fits
    whole: Mask  # with what lies within a radius around
    radius_mm: float  # of the ball
    core_ml: float
    roundness: float  # share of the spheroid of its length and height that it fills
    free: float  # share of its surface that faces aerated lung
    slenderness: float  # length over thickness

    @property
    def score(self) -> float:
        """Falls fast where other tissue enters: a piece of a vessel goes on at both ends, a lesion hardly."""
        return self.core_ml * 2.0 * self.radius_mm * self.roundness * self.free**3


def select_automatically(
    volume: CtVolume,
    lungs: Mask,
    annotations: Sequence[Annotation],  # noqa: ARG001 - it looks at the image alone
) -> Selection:
    """Candidates by falling score, at most `MOST_CANDIDATES`."""
    regions = _candidates(volume, lungs) if lungs.any() else ()
    return Selection(SlicePolicy.AUTOMATIC if regions else SlicePolicy.NONE, regions)


def _candidates(volume: CtVolume, lungs: Mask) -> tuple[Region, ...]:
    corner, box = _box(lungs, margin=2)
    image = coarse(volume.hu[box], volume.spacing_mm)
    parts = _parts(image, image.coarsened(lungs[box]))
    thick = [p for p in parts if p.slenderness <= _SLENDER and p.score >= _LEAST_SCORE]
    lesions = _joined(sorted(thick, key=lambda p: -p.score), image.spacing_mm)
    found = (_region(lesion, image, volume, lungs, corner) for lesion in lesions[:MOST_CANDIDATES])
    return tuple(region for region in found if region is not None)


def _parts(image: Coarse, lungs: Mask) -> Iterator[_Part]:
    tissue = lungs & (image.hu > _TISSUE_HU)
    aerated = lungs & ~tissue
    rest = tissue.copy()
    for radius in _RADII_MM:
        cores = components(opened(rest, radius, image.spacing_mm))
        sizes = np.bincount(cores.ravel()) * image.voxel_ml
        for label in np.flatnonzero(sizes >= _SMALLEST_ML):
            if label:
                part = _part(cores == label, rest, aerated, radius, image.spacing_mm)
                rest &= ~part.whole
                yield part


def _part(core: Mask, rest: Mask, aerated: Mask, radius_mm: float, spacing_mm: Spacing) -> _Part:
    reach = [int(np.ceil((radius_mm + 6.0) / s)) + 1 for s in spacing_mm]
    _, box = _box(core, margin=max(reach))
    whole = dilated(core[box], radius_mm, spacing_mm) & rest[box]
    surface = dilated(whole, 1.5 * max(spacing_mm[1:]), spacing_mm) & ~whole
    voxel_mm3 = float(np.prod(spacing_mm))
    length = longest_axial_mm(whole, spacing_mm)
    height = float(whole.any(axis=(1, 2)).sum()) * spacing_mm[0]
    everywhere = np.zeros_like(core)
    everywhere[box] = whole
    return _Part(
        core=core,
        whole=everywhere,
        radius_mm=radius_mm,
        core_ml=core.sum() * voxel_mm3 / 1000.0,
        roundness=min(1.0, whole.sum() * voxel_mm3 / (np.pi / 6 * length**2 * height)),
        free=float(aerated[box][surface].mean()) if surface.any() else 0.0,
        slenderness=max(length, _VERTICAL * height) / (2.0 * radius_mm),
    )


def _joined(parts: Sequence[_Part], spacing_mm: Spacing) -> list[Mask]:
    """The lobes of one lesion as one: parts whose neck is at least half as wide as the thinner of them."""
    groups: list[list[_Part]] = []
    for part in parts:
        for group in groups:
            if any(_neck_mm2(other, part, spacing_mm) >= 0.5 * np.pi * part.radius_mm**2 for other in group):
                group.append(part)
                break
        else:
            groups.append([part])
    return [np.logical_or.reduce([_trimmed(part, spacing_mm) for part in group]) for group in groups]


def _neck_mm2(one: _Part, other: _Part, spacing_mm: Spacing) -> float:
    """The area in which two parts touch."""
    layer = 1.5 * max(spacing_mm[1:])
    touching = other.whole & dilated(one.whole, layer, spacing_mm)
    return float(touching.sum() * np.prod(spacing_mm)) / layer


def _trimmed(part: _Part, spacing_mm: Spacing) -> Mask:
    """Without the vessels that enter it."""
    return part.whole & dilated(part.core, max(_RIM_MM, part.radius_mm / 2), spacing_mm)


def _region(
    lesion: Mask, image: Coarse, volume: CtVolume, lungs: Mask, corner: tuple[int, int, int]
) -> Region | None:
    inside = np.zeros(lungs.shape, dtype=np.bool_)
    z, y, x = corner
    depth, rows, columns = image.shape
    inside[z : z + depth, y : y + rows, x : x + columns] = image.refined(lesion)
    inside &= lungs
    if not inside.any():
        return None
    start, box = _box(inside, margin=0)
    extent = inside[box]
    middle = [float(axis.mean()) + first for axis, first in zip(np.nonzero(extent), start, strict=True)]
    target = Target(volume.position_mm(*middle), longest_axial_mm(extent, volume.spacing_mm))
    shown = tuple(range(start[0], start[0] + len(extent)))
    return Region(target, shown, start, extent.copy())


def _box(mask: Mask, *, margin: int) -> tuple[tuple[int, int, int], tuple[slice, slice, slice]]:
    """The corner of the smallest box around the mask, and the box."""
    z, y, x = (_span(np.asarray(mask.any(axis=others)), margin) for others in ((1, 2), (0, 2), (0, 1)))
    return (z.start, y.start, x.start), (z, y, x)


def _span(line: NDArray[np.bool_], margin: int) -> slice:
    filled = np.flatnonzero(line)
    return slice(max(int(filled[0]) - margin, 0), min(int(filled[-1]) + 1 + margin, line.size))
