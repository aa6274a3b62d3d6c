"""What the network sees of a slice, and where its pixels came from: the same for training and service."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.bundle import Preprocessing
from inference.hounsfield import AIR_HU
from inference.volume import CtVolume

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Slab:
    """Source slices that are averaged into one of the model's thickness, from feet to head."""

    slices: tuple[int, ...]

    @property
    def middle(self) -> int:
        return self.slices[len(self.slices) // 2]


def slabs(volume: CtVolume, thickness_mm: float) -> tuple[Slab, ...]:
    """Thin slices by groups, thick ones one by one; what is left over at the head joins the last group."""
    count, group = len(volume.hu), max(1, round(thickness_mm / volume.spacing_mm[0]))
    starts = range(0, max(count - group, 0) + 1, group)
    ends = [*starts[1:], count]
    return tuple(Slab(tuple(range(start, end))) for start, end in zip(starts, ends, strict=True))


@dataclass(frozen=True, eq=False)
class Frame:
    """From the grid of the source slices to the network's and back, one matrix per axis and way.

    The network sees the patient from the feet, face up, whatever way the source is turned.
    """

    to_rows: NDArray[np.float32]  # network rows, source rows
    to_columns: NDArray[np.float32]
    from_rows: NDArray[np.float32]  # source rows, network rows
    from_columns: NDArray[np.float32]

    def to_network(self, plane: Plane) -> Plane:
        return (self.to_rows @ plane @ self.to_columns.T).astype(np.float32)

    def from_network(self, plane: Plane) -> Plane:
        return (self.from_rows @ plane @ self.from_columns.T).astype(np.float32)


def frame(volume: CtVolume, lungs: NDArray[np.bool_], numbers: Preprocessing) -> Frame:
    """Around the middle of the lungs."""
    _, rows, columns = lungs.shape
    axes = (
        (rows, np.flatnonzero(lungs.any(axis=(0, 2))), volume.spacing_mm[1], volume.orientation[4] < 0),
        (columns, np.flatnonzero(lungs.any(axis=(0, 1))), volume.spacing_mm[2], volume.orientation[0] < 0),
    )
    (to_rows, from_rows), (to_columns, from_columns) = (
        _axis(length, (lung[0] + lung[-1]) / 2 if lung.size else (length - 1) / 2, spacing, flipped, numbers)
        for length, lung, spacing, flipped in axes
    )
    return Frame(to_rows, to_columns, from_rows, from_columns)


def network_input(
    hu: NDArray[np.int16], lungs: NDArray[np.bool_], slab: Slab, place: Frame, numbers: Preprocessing
) -> Plane:
    """One slab of a volume as the network sees it: resampled, cropped, windowed to 0..1, zero outside the lungs."""
    grey = windowed(hu, slab, place, numbers)
    if numbers.outside_lungs == "keep":
        return grey
    return np.where(lungs_seen(lungs, slab, place), grey, np.float32(0.0))


def windowed(hu: NDArray[np.int16], slab: Slab, place: Frame, numbers: Preprocessing) -> Plane:
    """The whole slab, lungs and what is around them: network rows, columns, 0..1."""
    above_air = hu[list(slab.slices)].mean(axis=0, dtype=np.float32) - AIR_HU
    resampled = place.to_network(above_air) + AIR_HU
    lowest = numbers.window_level_hu - numbers.window_width_hu / 2
    grey: Plane = np.clip((resampled - lowest) / numbers.window_width_hu, 0.0, 1.0).astype(np.float32)
    return grey


def lungs_seen(lungs: NDArray[np.bool_], slab: Slab, place: Frame) -> NDArray[np.bool_]:
    """Where the network's pixels are lung, by most of each: network rows, columns. Any mask will do."""
    inside: NDArray[np.bool_] = (
        place.to_network(lungs[list(slab.slices)].mean(axis=0, dtype=np.float32)) >= 0.5
    )
    return inside


def _axis(
    length: int, centre: float, spacing_mm: float, flipped: bool, numbers: Preprocessing
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    ratio = numbers.pixel_mm / spacing_mm * (-1.0 if flipped else 1.0)
    network = np.arange(numbers.size, dtype=np.float64)
    source = np.arange(length, dtype=np.float64)
    in_source = centre + (network - (numbers.size - 1) / 2) * ratio
    in_network = (source - centre) / ratio + (numbers.size - 1) / 2
    return _weights(in_source, length, abs(ratio)), _weights(in_network, numbers.size, 1 / abs(ratio))


def _weights(points: NDArray[np.float64], length: int, step: float) -> NDArray[np.float32]:
    """Linear interpolation at `points`, averaging where they lie more than one pixel apart; none outside."""
    reach = max(step, 1.0)
    triangle = np.maximum(0.0, 1.0 - np.abs(points[:, None] - np.arange(length)[None, :]) / reach)
    inside = (points > -0.5) & (points < length - 0.5)
    total = triangle.sum(axis=1, keepdims=True)
    return np.where(inside[:, None], triangle / np.maximum(total, 1e-9), 0.0).astype(np.float32)
