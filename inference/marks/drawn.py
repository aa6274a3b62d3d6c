"""Regions drawn on the slices of a volume, as lesions."""

import numpy as np
from scipy import ndimage

from inference.annotations import Lesion, Plane
from inference.morphology import Mask
from inference.volume import CtVolume

_TOUCHING = np.ones((3, 3, 3))  # in a corner is enough


def lesions(marked: Mask, volume: CtVolume, *, whole: Mask | None = None) -> tuple[Lesion, ...]:
    """What is marked (z, y, x), parted as `whole` is, the largest first; a slice that was left out parts nothing."""
    bridged = (marked if whole is None else whole).copy()
    bridged[1:-1] |= bridged[:-2] & bridged[2:]
    parts, count = ndimage.label(bridged, _TOUCHING)
    regions = [marked & (parts == part) for part in range(1, count + 1)]
    kept = sorted((region for region in regions if region.any()), key=lambda region: -int(region.sum()))
    return tuple(
        Lesion(number, shapes=_planes(region, volume)) for number, region in enumerate(kept, start=1)
    )


def _planes(region: Mask, volume: CtVolume) -> tuple[Plane, ...]:
    return tuple(
        Plane(region[k], volume.positions_mm[k], volume.orientation, volume.spacing_mm[1:])
        for k in np.flatnonzero(region.any(axis=(1, 2)))
    )
