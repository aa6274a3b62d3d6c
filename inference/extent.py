"""Measures of a region in a volume."""

import numpy as np
from numpy.typing import NDArray

_ANGLES = np.deg2rad(np.arange(0.0, 180.0, 5.0))


def longest_axial_mm(extent: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> float:
    """The widest the region is seen in any axial slice and direction; 0 where it is empty."""
    planes = extent[extent.any(axis=(1, 2))]
    return max((_width_mm(plane, spacing_mm[1], spacing_mm[2]) for plane in planes), default=0.0)


def elongation(extent: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> float:
    """How much longer than broad: of its principal axes the first over the second, at least 1."""
    points = np.argwhere(extent) * np.asarray(spacing_mm)
    if len(points) < 3:
        return 1.0
    variances = np.linalg.eigvalsh(np.cov(points.T) + np.diag(np.square(spacing_mm) / 12.0))
    return float(np.sqrt(variances[2] / variances[1]))


def _width_mm(plane: NDArray[np.bool_], row_mm: float, column_mm: float) -> float:
    y, x = np.nonzero(plane)
    along = np.outer(np.cos(_ANGLES), x * column_mm) + np.outer(np.sin(_ANGLES), y * row_mm)
    return float((along.max(axis=1) - along.min(axis=1)).max()) + (row_mm + column_mm) / 2
