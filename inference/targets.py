"""Automatic candidates for the target lesion: thick, compact soft tissue in the lung field. Unvalidated.

Thickness tells a lesion from the vessels that enter it: the field is searched for what a ball of
16, 13 … 4 mm radius fits into, from thick to thin, so that a mass is taken whole before its vessels are looked at.
The first by `_Part.score` is the target; the score and its least value were set on synthetic phantoms.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.annotations import Annotation, Kind
from inference.coarse import Coarse, coarse
from inference.extent import elongation, longest_axial_mm
from inference.findings import InputQuality, Mark, SlicePolicy, Target
from inference.morphology import Mask, Spacing, components, dilated, lines, opened
from inference.volume import CtVolume

MOST_CANDIDATES = 11  # the target and ten others
_TISSUE_HU = -400.0
_RADII_MM = (16.0, 13.0, 10.0, 8.0, 6.5, 5.0, 4.0)
_SMALLEST_ML = 0.2
_SLENDER = 3.2  # times its thickness: a vessel or a fold, not a nodule
_VERTICAL = 0.7  # of a length along z: thick slices draw it out
_LEAST_SCORE = 0.4  # ml; of the target
_LEAST_FURTHER = 0.1  # ml; of further candidates, once there is a target
_CENTRAL = 0.5  # of the way from the middle to the side: there lie hila, heart and aorta
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
    mark: Mark | None = None  # the annotation that the target is taken from
    kind: Kind | None = None  # of that annotation


class TargetSelector(Protocol):
    def __call__(self, volume: CtVolume, lungs: Mask, annotations: Sequence[Annotation], /) -> Selection: ...


Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class _Part:
    """A piece of soft tissue in the lung field."""

    box: Box  # of the coarse image
    core: Mask  # where the ball fits; in the box
    whole: Mask  # with what lies within a radius around; in the box
    radius_mm: float  # of the ball
    core_ml: float
    roundness: float  # share of the spheroid of its length and height that it fills
    entered: float  # share of its surface in the field where other tissue goes on
    attached: float  # share of its whole surface that faces what is no lung: pleura, mediastinum
    elongation: float
    lateral: float  # 0 in the middle between the lungs' outer sides, 1 at these
    slenderness: float  # length over thickness
    flatness: float  # 1 where it is at least two thirds as high as long, less for a plate

    @property
    def score(self) -> float:
        """Its core in ml, less what speaks against a lesion.

        A piece of a vessel is long, goes on at both ends and is thick only near the hilum; what bulges
        in from heart or aorta has little surface in the lung; what thick slices show of the diaphragm's
        or heart's border is flat. A lesion at the pleura is forgiven for it.
        """
        like_a_lesion = (1.0 - self.entered) ** 5 * (1.0 - self.attached) ** 2 * self.roundness
        central = min(1.0, self.lateral / _CENTRAL) ** 2
        return self.core_ml * like_a_lesion * central * self.flatness / self.elongation**2


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
    thick = [p for p in parts if p.slenderness <= _SLENDER and p.score >= _LEAST_FURTHER]
    if all(p.score < _LEAST_SCORE for p in thick):
        return ()
    lesions = _joined(sorted(thick, key=lambda p: -p.score), image)
    found = (_region(lesion, image, volume, lungs, corner) for lesion in lesions[:MOST_CANDIDATES])
    return tuple(region for region in found if region is not None)


def _parts(image: Coarse, lungs: Mask) -> Iterator[_Part]:
    tissue = lungs & (image.hu > _TISSUE_HU)
    rest = tissue.copy()
    for radius in _RADII_MM:
        cores = components(opened(rest, radius, image.spacing_mm))
        sizes = np.bincount(cores.ravel()) * image.voxel_ml
        for label in np.flatnonzero(sizes >= _SMALLEST_ML):
            if label:
                part = _part(cores == label, rest, tissue, lungs, radius, image.spacing_mm)
                rest[part.box] &= ~part.whole
                yield part


def _part(core: Mask, rest: Mask, tissue: Mask, lungs: Mask, radius_mm: float, spacing_mm: Spacing) -> _Part:
    reach = [int(np.ceil((radius_mm + 6.0) / s)) + 1 for s in spacing_mm]
    _, box = _box(core, margin=max(reach))
    core = core[box].copy()
    whole = dilated(core, radius_mm, spacing_mm) & rest[box]
    surface = dilated(whole, 1.5 * max(spacing_mm[1:]), spacing_mm) & ~whole
    inside = surface & lungs[box]
    voxel_mm3 = float(np.prod(spacing_mm))
    length = longest_axial_mm(whole, spacing_mm)
    height = float(whole.any(axis=(1, 2)).sum()) * spacing_mm[0]
    return _Part(
        box=box,
        core=core,
        whole=whole,
        radius_mm=radius_mm,
        core_ml=core.sum() * voxel_mm3 / 1000.0,
        roundness=min(1.0, whole.sum() * voxel_mm3 / (np.pi / 6 * length**2 * height)),
        entered=float(tissue[box][inside].mean()) if inside.any() else 1.0,
        attached=float((~lungs[box])[surface].mean()) if surface.any() else 1.0,
        elongation=elongation(whole, spacing_mm),
        lateral=_lateral(whole, box, lungs),
        slenderness=max(length, _VERTICAL * height) / (2.0 * radius_mm),
        flatness=min(1.0, 1.5 * height / length) ** 2,
    )


def _lateral(whole: Mask, box: Box, lungs: Mask) -> float:
    columns = np.flatnonzero(lines(lungs)[2])
    middle, half = (columns[0] + columns[-1]) / 2, (columns[-1] - columns[0] + 1) / 2
    return float(abs(np.nonzero(whole)[2].mean() + box[2].start - middle) / half)


def _joined(parts: Sequence[_Part], image: Coarse) -> list[Mask]:
    """The lobes of one lesion as one: parts whose neck is at least half as wide as the thinner of them."""
    groups: list[list[_Part]] = []
    for part in parts:
        for group in groups:
            if any(
                _neck_mm2(other, part, image.spacing_mm) >= 0.5 * np.pi * part.radius_mm**2 for other in group
            ):
                group.append(part)
                break
        else:
            groups.append([part])
    return [_drawn(group, image) for group in groups]


def _neck_mm2(one: _Part, other: _Part, spacing_mm: Spacing) -> float:
    """The area in which two parts touch."""
    layer = 1.5 * max(spacing_mm[1:])
    common = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one.box, other.box, strict=True)]
    if any(low >= high for low, high in common):
        return 0.0
    near, whole = (
        mask[
            tuple(slice(lo - side.start, hi - side.start) for (lo, hi), side in zip(common, box, strict=True))
        ]
        for mask, box in ((dilated(one.whole, layer, spacing_mm), one.box), (other.whole, other.box))
    )
    return float((near & whole).sum() * np.prod(spacing_mm)) / layer


def _drawn(group: Sequence[_Part], image: Coarse) -> Mask:
    """On the coarse grid, without the vessels that enter."""
    lesion = np.zeros(image.hu.shape, dtype=np.bool_)
    for part in group:
        rim_mm = max(_RIM_MM, part.radius_mm / 2)
        lesion[part.box] |= part.whole & dilated(part.core, rim_mm, image.spacing_mm)
    return lesion


def _region(
    lesion: Mask, image: Coarse, volume: CtVolume, lungs: Mask, corner: tuple[int, int, int]
) -> Region | None:
    in_image, fine = image.refined_box(lesion)
    z, y, x = (a + b for a, b in zip(corner, in_image, strict=True))
    depth, rows, columns = fine.shape
    fine = fine & lungs[z : z + depth, y : y + rows, x : x + columns]
    if not fine.any():
        return None
    inner, box = _box(fine, margin=0)
    start = (z + inner[0], y + inner[1], x + inner[2])
    extent = fine[box].copy()
    middle = [float(axis.mean()) + first for axis, first in zip(np.nonzero(extent), start, strict=True)]
    target = Target(volume.position_mm(*middle), longest_axial_mm(extent, volume.spacing_mm))
    return Region(target, tuple(range(start[0], start[0] + len(extent))), start, extent)


def _box(mask: Mask, *, margin: int) -> tuple[tuple[int, int, int], Box]:
    """The corner of the smallest box around the mask, and the box."""
    z, y, x = (_span(line, margin) for line in lines(mask))
    return (z.start, y.start, x.start), (z, y, x)


def _span(line: NDArray[np.bool_], margin: int) -> slice:
    filled = np.flatnonzero(line)
    return slice(max(int(filled[0]) - margin, 0), min(int(filled[-1]) + 1 + margin, line.size))
