"""A volume at about 2 mm for morphology, and masks back on the volume's own grid."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.morphology import Mask, Spacing

_AIM_MM = 2.0


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
        shares = sitk.BinShrink(sitk.GetImageFromArray(mask.astype(np.float32)), self.block[::-1])
        return sitk.GetArrayFromImage(shares) > 0.5

    def refined(self, mask: Mask) -> Mask:
        """The mask on the source's grid, its surface interpolated between the blocks."""
        image = sitk.GetImageFromArray(mask.astype(np.float32))
        ratio = tuple(float(b) for b in self.block[::-1])
        image.SetSpacing(ratio)
        image.SetOrigin([(r - 1.0) / 2.0 for r in ratio])
        reference = sitk.Image([int(n) for n in self.shape[::-1]], sitk.sitkFloat32)
        edge = sitk.ZeroFluxNeumannPad(image, (1, 1, 1), (1, 1, 1))
        return (
            sitk.GetArrayFromImage(sitk.Resample(edge, reference, sitk.Transform(), sitk.sitkLinear, 0.0))
            >= 0.5
        )


def coarse(hu: NDArray[np.int16], spacing_mm: Spacing) -> Coarse:
    block = tuple(max(1, min(round(_AIM_MM / s), n)) for s, n in zip(spacing_mm, hu.shape, strict=True))
    means = sitk.GetArrayFromImage(sitk.BinShrink(sitk.GetImageFromArray(hu.astype(np.float32)), block[::-1]))
    return Coarse(
        hu=means,
        spacing_mm=tuple(s * b for s, b in zip(spacing_mm, block, strict=True)),
        block=block,
        shape=hu.shape,
    )
