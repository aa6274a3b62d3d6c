"""Regions drawn on the slices of a volume, as lesions."""

import numpy as np

from inference.annotations import Lesion, Plane
from inference.morphology import Mask, components
from inference.volume import CtVolume


def lesions(drawn: Mask, volume: CtVolume) -> tuple[Lesion, ...]:
    """The parts of `drawn` (z, y, x), the largest first; a slice that was left out parts no lesion."""
    bridged = drawn.copy()
    bridged[1:-1] |= drawn[:-2] & drawn[2:]
    parts = components(bridged)
    numbers = (part for part in range(1, int(parts.max(initial=0)) + 1) if drawn[parts == part].any())
    return tuple(
        Lesion(number, shapes=_planes(drawn & (parts == part), volume))
        for number, part in enumerate(numbers, start=1)
    )


def _planes(region: Mask, volume: CtVolume) -> tuple[Plane, ...]:
    return tuple(
        Plane(region[k], volume.positions_mm[k], volume.orientation, volume.spacing_mm[1:])
        for k in np.flatnonzero(region.any(axis=(1, 2)))
    )
