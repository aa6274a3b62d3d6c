"""From aerated lung to the lung field: gives back what disease has filled.

A mass or consolidation has the density of the heart, so shape alone decides: a place belongs to
the lung field if it lies between lung and ribs, or between lung above and lung below.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.morphology import (
    Mask,
    Spacing,
    closed,
    components,
    dilated,
    distance_mm,
    eroded,
    filled_by_slice,
    hull_by_slice,
    opened,
    regions,
)

_FAR = 100_000  # slices
_SMALLER_LUNG = 0.15  # of the larger one; less is a piece of it


@dataclass(frozen=True)
class FieldRules:
    bone_hu: float = 200.0  # never given back to the lung
    midline_mm: float = 15.0  # half the width of the strip in which nothing is given back
    smoothing_mm: float = 4.0  # thinner strips are not given back
    closing_mm: float = 10.0  # vessels, small nodules, and what bulges in from the mediastinum
    rim_mm: float = 12.0  # by which the chest narrows from one level to those below
    column_gap_mm: float = 110.0  # between lung above and lung below
    airway_hu: float = -900.0  # the median of an airway lies below: no tissue is in it
    airway_mm2: float = 800.0  # the widest trachea or main bronchus in a slice
    airway_from_midline_mm: float = 45.0


def lung_field(lungs: Mask, never: Mask, spacing_mm: Spacing, rules: FieldRules) -> Mask:
    """z, y, x: each lung with what lies between it and the ribs, and between its parts above and below."""
    field = np.zeros_like(lungs)
    for side in _sides(lungs, spacing_mm):
        field |= _given_back(side, never, spacing_mm, rules)
    return field


def midline(body: Mask, spacing_mm: Spacing, rules: FieldRules) -> Mask:
    """The strip in which trachea, oesophagus and spine lie."""
    columns = np.arange(body.shape[2])
    strip = np.abs(columns - _middle(body)) * spacing_mm[2] < rules.midline_mm
    return np.broadcast_to(strip, body.shape)


def airway_sections(
    air: Mask, body: Mask, hu: NDArray[np.float32], spacing_mm: Spacing, rules: FieldRules
) -> Mask:
    """Small sections of pure air near the midline: trachea, main bronchi, oesophagus."""
    airways = np.zeros_like(air)
    middle, (_, row_mm, column_mm) = _middle(body), spacing_mm
    for k, plane in enumerate(air):
        for section in regions(plane):
            y, x = section
            small = y.size * row_mm * column_mm < rules.airway_mm2
            near = abs(x.mean() - middle) * column_mm < rules.airway_from_midline_mm
            if small and near and np.median(hu[k][section]) < rules.airway_hu:
                airways[k][section] = True
    return airways


def _middle(mask: Mask) -> float:
    return float(np.nonzero(mask)[2].mean()) if mask.any() else 0.0


def _sides(lungs: Mask, spacing_mm: Spacing) -> list[Mask]:
    """Right and left, parted even where they touch in front of the heart; one, where there is one lung."""
    for depth in (0.0, 2.0, 4.0, 6.0, 8.0, 12.0):
        labels = components(eroded(lungs, depth, spacing_mm) if depth else lungs)
        sizes = np.bincount(labels.ravel(), minlength=3)
        if sizes[2] > _SMALLER_LUNG * sizes[1]:
            to_first = distance_mm(labels == 1, spacing_mm)
            to_second = distance_mm(labels == 2, spacing_mm)
            return [lungs & (to_first <= to_second), lungs & (to_first > to_second)]
    right = np.broadcast_to(np.arange(lungs.shape[2]) < _middle(lungs), lungs.shape)
    across = min((lungs & right).sum(), (lungs & ~right).sum()) > _SMALLER_LUNG * lungs.sum()
    return [lungs & right, lungs & ~right] if across and _is_wide(lungs) else [lungs]


def _is_wide(lungs: Mask) -> bool:
    """Wider than deep: two lungs side by side, not one."""
    _, y, x = np.nonzero(lungs)
    return bool(np.ptp(x) > 1.2 * np.ptp(y))


def _given_back(side: Mask, never: Mask, spacing_mm: Spacing, rules: FieldRules) -> Mask:
    """One lung with what lies between it and the ribs, and between its parts above and below."""
    if not side.any():
        return side
    whole = side | (_between_above_and_below(side, rules.column_gap_mm / spacing_mm[0]) & ~never)
    whole = closed(opened(whole, rules.smoothing_mm, spacing_mm) | side, rules.closing_mm, spacing_mm)
    outward = hull_by_slice(whole) & _costal(whole) & _over_lung(whole, rules.rim_mm, spacing_mm) & ~never
    whole |= opened(outward, rules.smoothing_mm, spacing_mm)
    return whole | _islands(whole, rules.column_gap_mm / spacing_mm[0])


def _over_lung(side: Mask, rim_mm: float, spacing_mm: Spacing) -> Mask:
    """With lung somewhere below, at most `rim_mm` aside: what stands on the diaphragm is liver or spleen."""
    lung_below = np.logical_or.accumulate(side, axis=0)
    in_plane = (1e5, *spacing_mm[1:])
    lower = np.roll(dilated(lung_below, rim_mm, in_plane), 1, axis=0)
    lower[0] = False
    return lower


def _islands(side: Mask, longest: float) -> Mask:
    """What lung surrounds in a slice, unless it stands on no lung, as the domes of the diaphragm do."""
    below, _ = _nearest_lung(side)
    stands = np.arange(side.shape[0])[:, None, None] - below <= longest
    given_back = np.zeros_like(side)
    for k, plane in enumerate(filled_by_slice(side) & ~side):
        for island in regions(plane):
            given_back[k][island] = stands[k][island].mean() > 0.5
    return given_back


def _between_above_and_below(side: Mask, longest: float) -> Mask:
    """Per column, gaps of at most `longest` slices."""
    below, above = _nearest_lung(side)
    return above - below <= longest + 1


def _nearest_lung(side: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per voxel, the slices of the nearest lung below and above it in its column; far off where none is."""
    z = np.arange(side.shape[0])[:, None, None]
    below = np.maximum.accumulate(np.where(side, z, -_FAR), axis=0)
    above = np.minimum.accumulate(np.where(side, z, _FAR)[::-1], axis=0)[::-1]
    return below, above


def _costal(side: Mask) -> Mask:
    """Outward of the lung: lung towards the midline, none farther out; or in front, and none behind.

    In the other direction lung lies on both sides or on none: liver and spleen have it behind only.
    """
    to_the_left = np.logical_or.accumulate(side, axis=2)
    to_the_right = np.logical_or.accumulate(side[:, :, ::-1], axis=2)[:, :, ::-1]
    in_front = np.logical_or.accumulate(side, axis=1)
    behind = np.logical_or.accumulate(side[:, ::-1], axis=1)[:, ::-1]
    first = np.nonzero(side)[2].mean() < side.shape[2] / 2
    inward, outward = (to_the_right, to_the_left) if first else (to_the_left, to_the_right)
    lateral = inward & ~outward & (in_front == behind)
    posterior = in_front & ~behind & (inward == outward)
    costal: Mask = lateral | posterior
    return costal
