"""Regions drawn on the slices of a volume, as lesions."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.annotations import Lesion, Plane
from inference.morphology import Mask
from inference.volume import CtVolume

_TOUCHING = np.ones((3, 3, 3))  # in a corner is enough


def lesions(marked: Mask, volume: CtVolume, *, whole: Mask | None = None) -> tuple[Lesion, ...]:
    """What is marked (z, y, x), parted as `whole` is, the largest first; a slice that was left out parts nothing."""
    bridged = (marked if whole is None else whole).copy()
    bridged[1:-1] |= bridged[:-2] & bridged[2:]
    parts, _ = ndimage.label(bridged, _TOUCHING)
    regions = [_region(marked, parts, part, box) for part, box in enumerate(ndimage.find_objects(parts), 1)]
    kept = sorted((region for region in regions if region), key=_pixels, reverse=True)
    return tuple(Lesion(number, shapes=_planes(region, volume)) for number, region in enumerate(kept, 1))


_Region = dict[int, NDArray[np.bool_]]  # rows, columns, by slice


def _region(marked: Mask, parts: NDArray[np.int32], part: int, box: tuple[slice, slice, slice]) -> _Region:
    """Only of the slices that it is on: a cohort has volumes with hundreds of slices and dozens of parts."""
    planes = {k: marked[k] & (parts[k] == part) for k in range(box[0].start, box[0].stop)}
    return {k: plane for k, plane in planes.items() if plane.any()}


def _pixels(region: _Region) -> int:
    return sum(int(plane.sum()) for plane in region.values())


def _planes(region: _Region, volume: CtVolume) -> tuple[Plane, ...]:
    return tuple(
        Plane(plane, volume.positions_mm[k], volume.orientation, volume.spacing_mm[1:])
        for k, plane in region.items()
    )
