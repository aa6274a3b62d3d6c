"""Morphology in mm on boolean arrays (z, y, x), by SimpleITK: a radius means the same for every spacing."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]  # z, y, x; mm

_DIRECTIONS = np.deg2rad(np.arange(0.0, 360.0, 10.0))


def lines(mask: Mask) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """The mask's shadow on each axis: z, y, x."""
    plane = np.any(mask, axis=0)
    return np.any(mask, axis=(1, 2)), np.any(plane, axis=1), np.any(plane, axis=0)


def distance_mm(mask: Mask, spacing_mm: Spacing) -> NDArray[np.float32]:
    """From each voxel to the mask's surface, negative inside; far away where the mask is empty."""
    if not mask.any():
        return np.full(mask.shape, 1e6, dtype=np.float32)
    field = sitk.SignedMaurerDistanceMap(
        _image(mask, spacing_mm), insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    distance: NDArray[np.float32] = sitk.GetArrayFromImage(field)
    return distance


def dilated(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    return distance_mm(mask, spacing_mm) <= radius_mm


def eroded(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    """What touches the border of the array is not eroded from there: the volume ends, the organ does not."""
    return mask & (distance_mm(~mask, spacing_mm) > radius_mm)


def opened(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    return mask & dilated(eroded(mask, radius_mm, spacing_mm), radius_mm, spacing_mm)


def closed(mask: Mask, radius_mm: float, spacing_mm: Spacing) -> Mask:
    return mask | eroded(dilated(mask, radius_mm, spacing_mm), radius_mm, spacing_mm)


def components(mask: Mask) -> NDArray[np.int32]:
    """Face-connected parts, numbered from 1 by falling size."""
    labels = sitk.RelabelComponent(sitk.ConnectedComponent(_image(mask, (1.0, 1.0, 1.0))))
    return sitk.GetArrayFromImage(labels).astype(np.int32)


def regions(plane: Mask) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The parts of one axial slice, as indices of their rows and columns, by falling size."""
    labels = components(plane[np.newaxis])[0]
    rows, columns = np.nonzero(labels)
    found = labels[rows, columns]
    by_label = np.argsort(found, kind="stable")
    ends = np.cumsum(np.bincount(found)[1:])[:-1]
    return [(rows[part], columns[part]) for part in np.split(by_label, ends) if part.size]


def filled_by_slice(mask: Mask) -> Mask:
    """With the holes that each axial slice shows."""
    planes = [
        sitk.GetArrayFromImage(sitk.BinaryFillhole(sitk.GetImageFromArray(p.astype(np.uint8)))) for p in mask
    ]
    return np.stack(planes).astype(np.bool_)


def hull_by_slice(mask: Mask) -> Mask:
    """The convex hull in each axial slice, by its supporting lines in 36 directions."""
    hull = np.zeros_like(mask)
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        rows, columns = np.nonzero(mask[k])
        box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        y, x = np.mgrid[box]
        inside = np.ones(y.shape, dtype=np.bool_)
        for cos, sin in zip(np.cos(_DIRECTIONS), np.sin(_DIRECTIONS), strict=True):
            inside &= cos * x + sin * y <= (cos * columns + sin * rows).max() + 1e-6
        hull[k][box] = inside
    return hull


def _image(mask: Mask, spacing_mm: Spacing) -> sitk.Image:
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing_mm[::-1])
    return image
