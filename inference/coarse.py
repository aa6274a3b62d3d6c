"""A volume at about 2 mm for morphology, and masks back on the volume's own grid."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.morphology import Mask, Spacing, lines

_AIM_MM = 2.0
_SLAB = 32  # slices of the source that are held in floating point at a time


@dataclass(frozen=True, eq=False)
class Coarse:
    """Blocks of voxels, averaged; thick slices stay one by one."""

    hu: NDArray[np.float32]  # z, y, x
    spacing_mm: Spacing
    block: tuple[int, int, int]  # voxels of the source in one of these, z, y, x
    shape: tuple[int, int, int]  # of the source

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing_mm)) / 1000.0

    def coarsened(self, mask: Mask) -> Mask:
        """A mask of the source's grid: blocks of which it fills more than half."""
        return _means(mask, self.block) > 0.5

    def refined(self, mask: Mask) -> Mask:
        """The mask on the source's grid, its surface interpolated between the blocks."""
        fine = np.empty(self.shape, dtype=np.bool_)
        for first in range(0, self.shape[0], _SLAB):
            last = min(first + _SLAB, self.shape[0])
            fine[first:last] = self._refined(mask, (first, 0, 0), (last, *self.shape[1:]))
        return fine

    def refined_box(self, mask: Mask) -> tuple[tuple[int, int, int], Mask]:
        """The same, of the smallest box that holds it: its corner (z, y, x) in the source, and what is in it."""
        low, high = [], []
        for axis, line in enumerate(lines(mask)):
            filled = np.flatnonzero(line)
            block, length = self.block[axis], self.shape[axis]
            low.append(max((int(filled[0]) - 1) * block, 0))
            high.append(min((int(filled[-1]) + 2) * block, length))
        corner = (low[0], low[1], low[2])
        return corner, self._refined(mask, corner, (high[0], high[1], high[2]))

    def _refined(self, mask: Mask, low: tuple[int, int, int], high: tuple[int, int, int]) -> Mask:
        image = sitk.GetImageFromArray(mask.astype(np.float32))
        ratio = tuple(float(b) for b in self.block[::-1])
        image.SetSpacing(ratio)
        image.SetOrigin([(r - 1.0) / 2.0 for r in ratio])
        reference = sitk.Image([b - a for a, b in zip(low, high, strict=True)][::-1], sitk.sitkFloat32)
        reference.SetOrigin([float(a) for a in low[::-1]])
        edge = sitk.ZeroFluxNeumannPad(image, (1, 1, 1), (1, 1, 1))
        fine = sitk.Resample(edge, reference, sitk.Transform(), sitk.sitkLinear, 0.0)
        inside: Mask = sitk.GetArrayViewFromImage(fine) >= 0.5
        return inside


def coarse(hu: NDArray[np.int16], spacing_mm: Spacing) -> Coarse:
    z, y, x = (max(1, min(round(_AIM_MM / s), n)) for s, n in zip(spacing_mm, hu.shape, strict=True))
    block = (z, y, x)
    return Coarse(
        hu=_means(hu, block),
        spacing_mm=tuple(s * b for s, b in zip(spacing_mm, block, strict=True)),
        block=block,
        shape=hu.shape,
    )


def _means(fine: NDArray[np.int16] | Mask, block: tuple[int, int, int]) -> NDArray[np.float32]:
    """Of whole blocks, slab by slab: a float copy of a whole volume would be its greatest cost."""
    depth, rows, columns = (n // b for n, b in zip(fine.shape, block, strict=True))
    means = np.empty((depth, rows, columns), dtype=np.float32)
    step = max(1, _SLAB // block[0])
    for first in range(0, depth, step):
        last = min(first + step, depth)
        part = sitk.GetImageFromArray(fine[first * block[0] : last * block[0]].astype(np.float32))
        means[first:last] = sitk.GetArrayFromImage(sitk.BinShrink(part, block[::-1]))
    return means
