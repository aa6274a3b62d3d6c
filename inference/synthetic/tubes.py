"""Vessels and airways as tubes: branching trees, and how a tube is drawn into slices of some thickness."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.synthetic.anatomy import Point

Hu = NDArray[np.float32]


@dataclass(frozen=True)
class Tube:
    start: Point
    end: Point
    radius: float


@dataclass(frozen=True)
class Grid:
    """Where the voxels are, mm: x of columns, y of rows, z of slices, all evenly spaced."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    z: NDArray[np.float32]
    pixel: float
    thickness: float

    def window(self, low: Point, high: Point) -> tuple[slice, slice, slice]:
        """The z, y, x slices of the box from `low` to `high`, inside the grid."""
        axes = ((self.z, 2), (self.y, 1), (self.x, 0))
        bounds = [np.searchsorted(axis, (low[i], high[i])) for axis, i in axes]
        return slice(*bounds[0]), slice(*bounds[1]), slice(*bounds[2])


def tree(
    root: Point, heading: Point, radius: float, rng: np.random.Generator, inside: Callable[[Point], bool]
) -> Iterator[Tube]:
    """A vessel that forks until it is thin; a branch that finds no way inside the lung ends."""
    if radius < 0.6:
        return
    tip = _tip(root, heading, radius * rng.uniform(5.0, 8.0), rng, inside)
    if tip is None:
        return
    yield Tube(root, tip, radius)
    onward = (tip[0] - root[0], tip[1] - root[1], tip[2] - root[2])
    for share in (rng.uniform(0.72, 0.86), rng.uniform(0.6, 0.8)):
        yield from tree(tip, onward, radius * share, rng, inside)


def _tip(
    root: Point, heading: Point, length: float, rng: np.random.Generator, inside: Callable[[Point], bool]
) -> Point | None:
    direction = np.asarray(heading) / np.linalg.norm(heading)
    for _ in range(6):
        turned = direction + rng.normal(0.0, 0.4, 3)
        x, y, z = np.asarray(root) + turned / np.linalg.norm(turned) * length
        if inside((float(x), float(y), float(z))):
            return (float(x), float(y), float(z))
    return None


def draw_tube(hu: Hu, grid: Grid, tube: Tube, value: float) -> None:
    """Blend `value` into `hu` along the tube, with the partial volume of the slice thickness."""
    a, b = np.asarray(tube.start), np.asarray(tube.end)
    margin = tube.radius + 2.0 * grid.pixel
    low, high = np.minimum(a, b) - margin, np.maximum(a, b) + margin
    low[2] -= grid.thickness / 2
    high[2] += grid.thickness / 2
    zs, ys, xs = grid.window((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    x, y = grid.x[None, xs], grid.y[ys, None]
    for k in range(zs.start, zs.stop):
        part = _within(a, b, grid.z[k], grid.thickness / 2 + tube.radius)
        if part is None or not x.size or not y.size:
            continue
        first, last = part
        filled = min(
            1.0, (abs(last[2] - first[2]) + 2.0 * tube.radius) / (grid.thickness + 2.0 * tube.radius)
        )
        distance = _distance(x, y, first, last) - tube.radius
        alpha = filled * np.clip(0.5 - distance / grid.pixel, 0.0, 1.0)
        hu[k, ys, xs] += alpha * (value - hu[k, ys, xs])


def _within(
    a: NDArray[np.float64], b: NDArray[np.float64], z: float, reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The part of the axis a-b that is at most `reach` from the plane `z`."""
    rise = b[2] - a[2]
    if abs(rise) < 1e-6:
        return (a, b) if abs(a[2] - z) <= reach else None
    t = np.sort(np.array([(z - reach - a[2]) / rise, (z + reach - a[2]) / rise]))
    t = np.clip(t, 0.0, 1.0)
    return None if t[0] == t[1] else (a + t[0] * (b - a), a + t[1] * (b - a))


def _distance(
    x: NDArray[np.float32], y: NDArray[np.float32], a: NDArray[np.float64], b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """In the slice, from each pixel to the axis a-b."""
    along = b[:2] - a[:2]
    length2 = float(along @ along) or 1.0
    t = np.clip(((x - a[0]) * along[0] + (y - a[1]) * along[1]) / length2, 0.0, 1.0)
    distance: NDArray[np.float64] = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
    return distance
