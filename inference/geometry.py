"""Where slices lie: their orientation, their order from feet to head, and what lies between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inference.findings import Position

Orientation = tuple[float, float, float, float, float, float]

_GAP = 1.5  # times the usual spacing: a slice is missing
_AXIAL = 0.8  # the smallest share of an axis along the patient's own, 37 degrees: a tilted gantry passes


@dataclass(frozen=True)
class Stack:
    """Slices in order, from feet to head."""

    kept: tuple[int, ...]  # indices into what was given, one per position
    duplicates: int
    distances_mm: tuple[float, ...]  # from each kept slice to the next, along the normal
    tilt_degrees: float  # between the normal and the way the table moved

    @cached_property
    def spacing_mm(self) -> float:
        return float(np.median(self.distances_mm)) if self.distances_mm else 0.0

    @property
    def gaps_mm(self) -> tuple[float, ...]:
        return tuple(d for d in self.distances_mm if d > _GAP * self.spacing_mm)

    @property
    def missing(self) -> int:
        return sum(round(gap / self.spacing_mm) - 1 for gap in self.gaps_mm)

    @property
    def widest_gap_mm(self) -> float:
        return max(self.gaps_mm, default=0.0)

    @property
    def unevenness_mm(self) -> float:
        """The largest deviation from the usual spacing where nothing is missing."""
        return max(
            (abs(d - self.spacing_mm) for d in self.distances_mm if d <= _GAP * self.spacing_mm), default=0.0
        )


def orientation(cosines: Sequence[float]) -> Orientation:
    """Checked: two unit vectors at a right angle (PS3.3 C.7.6.2.1.1)."""
    if len(cosines) != 6:
        raise ValueError(f"{len(cosines)} direction cosines, expected 6")
    row, column = np.reshape(np.asarray(cosines), (2, 3))
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not (np.allclose(lengths, 1.0, atol=0.01) and abs(float(row @ column)) < 0.01):
        raise ValueError(f"direction cosines {tuple(cosines)} are not two unit vectors at a right angle")
    a, b, c, d, e, f = (float(v) for v in cosines)
    return (a, b, c, d, e, f)


def is_axial(turned: Orientation) -> bool:
    """Rows run left to right or back, columns front to back or back."""
    return abs(turned[0]) > _AXIAL and abs(turned[4]) > _AXIAL


def heights_mm(turned: Orientation, positions: Sequence[Position]) -> list[float]:
    """Of each slice along their normal, towards the head."""
    heights: list[float] = (np.asarray(positions, dtype=np.float64) @ _towards_head(turned)).tolist()
    return heights


def order(turned: Orientation, positions: Sequence[Position], *, same_mm: float) -> Stack:
    """Of slices at one position the first given is kept."""
    heights = np.asarray(heights_mm(turned, positions))
    kept: list[int] = []
    for index in np.argsort(heights, kind="stable"):
        if not kept or heights[index] - heights[kept[-1]] > same_mm:
            kept.append(int(index))
    distances = np.diff(heights[kept])
    return Stack(
        kept=tuple(kept),
        duplicates=len(positions) - len(kept),
        distances_mm=tuple(float(d) for d in distances),
        tilt_degrees=_angle_degrees(
            np.subtract(positions[kept[-1]], positions[kept[0]]), _towards_head(turned)
        ),
    )


def _towards_head(turned: Orientation) -> NDArray[np.float64]:
    row, column = np.reshape(np.asarray(turned), (2, 3))
    normal: NDArray[np.float64] = np.cross(row, column)
    return normal if normal[2] > 0 else -normal


def _angle_degrees(travel: NDArray[np.float64], normal: NDArray[np.float64]) -> float:
    length = float(np.linalg.norm(travel))
    if length == 0.0:
        return 0.0
    return float(np.rad2deg(np.arccos(np.clip(travel @ normal / length, -1.0, 1.0))))
