"""Regions in the patient's coordinates onto the slices of a volume, whatever grid they were drawn on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inference.annotations import Outline, Plane, Unusable, said
from inference.geometry import Orientation
from inference.volume import CtVolume

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]
Drawing = Mapping[int, Mask]  # by slice of the volume: rows, columns

_HALF = 0.505  # of a slice: what a plane may lie off one, with rounding
_PARALLEL_DEGREES = 2.0
_FAR = 1e6  # pixels; beyond every image


@dataclass(frozen=True, eq=False)
class Grid:
    """The slices of a volume in the patient."""

    starts_mm: Points  # slices by x, y, z: the middle of each first pixel
    row: Points  # unit vector along a row, in which columns count
    column: Points
    pixel_mm: tuple[float, float]  # between rows, between columns
    shape: tuple[int, int]  # rows, columns
    slice_mm: float

    @classmethod
    def of(cls, volume: CtVolume) -> "Grid":
        row, column = _axes(volume.orientation)
        rows, columns = volume.hu.shape[1:]
        return cls(
            starts_mm=np.asarray(volume.positions_mm),
            row=row,
            column=column,
            pixel_mm=volume.spacing_mm[1:],
            shape=(rows, columns),
            slice_mm=volume.spacing_mm[0],
        )

    @property
    def normal(self) -> Points:
        return np.cross(self.row, self.column)

    def slice_at(self, points: Points) -> int:
        """The slice nearest to points of one plane; raises Unusable where none is within half a slice."""
        heights = points @ self.normal
        if np.ptp(heights) > 2.0 * _HALF * self.slice_mm:
            raise Unusable(f"a contour is not parallel to the slices: it spans {np.ptp(heights):.1f} mm")
        off = np.abs(self.starts_mm @ self.normal - heights.mean())
        nearest = int(off.argmin())
        if off[nearest] > _HALF * self.slice_mm:
            raise Unusable(
                f"a plane lies {off[nearest]:.1f} mm off the nearest slice, slices are {self.slice_mm:.1f} mm apart"
            )
        return nearest

    def pixels(self, index: int, points: Points) -> Points:
        """Points x, y, z as x, y in pixels of a slice; 0, 0 is the middle of its first pixel."""
        away = points - self.starts_mm[index]
        return np.stack([away @ self.row / self.pixel_mm[1], away @ self.column / self.pixel_mm[0]], axis=-1)

    def points(self, index: int, x: NDArray[np.int_], y: NDArray[np.int_]) -> Points:
        """The middles of pixels of a slice; the last axis is x, y, z."""
        along = x[..., None] * self.pixel_mm[1] * self.row + y[..., None] * self.pixel_mm[0] * self.column
        return np.asarray(self.starts_mm[index] + along)


def draw_plane(grid: Grid, plane: Plane) -> tuple[int, Mask]:
    """A slice, and the region in it: each pixel of the slice takes the nearest pixel of the plane."""
    row, column = _axes(plane.orientation)
    start = np.asarray(plane.position_mm)
    turned = np.degrees(np.arccos(min(1.0, abs(float(np.cross(row, column) @ grid.normal)))))
    if turned > _PARALLEL_DEGREES:
        raise Unusable(f"its planes are turned by {turned:.0f} degrees against the slices")
    inside = np.argwhere(plane.mask)  # row, column
    low, high = inside.min(axis=0) - 0.5, inside.max(axis=0) + 0.5
    corners = np.asarray([(r, c) for r in (low[0], high[0]) for c in (low[1], high[1])])
    corners_mm = (
        start + corners[:, 1:] * plane.pixel_mm[1] * row + corners[:, :1] * plane.pixel_mm[0] * column
    )
    index = grid.slice_at(corners_mm)
    box = _box(grid, grid.pixels(index, corners_mm))
    y, x = np.mgrid[box]
    away = grid.points(index, x, y) - start
    nearest = np.rint(np.stack([away @ column / plane.pixel_mm[0], away @ row / plane.pixel_mm[1]])).astype(
        int
    )
    known = ((nearest >= 0) & (nearest < np.reshape(plane.mask.shape, (2, 1, 1)))).all(axis=0)
    drawn = np.zeros(grid.shape, dtype=np.bool_)
    drawn[box] = known & plane.mask[tuple(np.where(known, nearest, 0))]
    if not drawn.any():  # finer than the pixels of the slice
        drawn[_nearest(grid, grid.pixels(index, corners_mm).mean(axis=0))] = True
    return index, drawn


def draw_outline(grid: Grid, outline: Outline, slices: Mapping[str, int]) -> Iterator[tuple[int, Mask]]:
    """Slices, and the region, line or points in each. `slices` are those of the volume by SOP Instance UID."""
    if not outline.line:
        for point in outline.points:
            index, pixels = _placed(grid, outline, point[None], slices)
            drawn = np.zeros(grid.shape, dtype=np.bool_)
            drawn[_nearest(grid, pixels[0])] = True
            yield index, drawn
    else:
        index, pixels = _placed(grid, outline, outline.points, slices)
        yield index, _filled(grid, pixels) if outline.closed else _line(grid, pixels)


def _placed(grid: Grid, outline: Outline, points: Points, slices: Mapping[str, int]) -> tuple[int, Points]:
    """The slice of these points, and where they are in it: x, y in pixels."""
    if not outline.on:
        index = grid.slice_at(points)
        return index, grid.pixels(index, points)
    if outline.on not in slices:
        raise Unusable(f"image {said(outline.on)} is not of the series that is analysed")
    return slices[outline.on], points - 0.5


def _filled(grid: Grid, corners: Points) -> Mask:
    """The pixels whose middle lies inside (even-odd rule); the nearest one where there is none."""
    box = _box(grid, corners)
    y, x = np.mgrid[box].astype(np.float64)
    inside = np.zeros(x.shape, dtype=np.bool_)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y1 != y2:
            crosses = (y1 > y) != (y2 > y)
            inside ^= crosses & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    drawn = np.zeros(grid.shape, dtype=np.bool_)
    drawn[box] = inside
    if not drawn.any():
        drawn[_nearest(grid, corners.mean(axis=0))] = True
    return drawn


def _line(grid: Grid, corners: Points) -> Mask:
    drawn = np.zeros(grid.shape, dtype=np.bool_)
    for corner in corners:
        _nearest(grid, corner)  # all inside, or none of the line is drawn
    for start, end in pairwise(corners):
        steps = int(np.ceil(2.0 * np.abs(end - start).max())) + 1
        for share in np.linspace(0.0, 1.0, steps):
            drawn[_nearest(grid, start + share * (end - start))] = True
    return drawn


def _nearest(grid: Grid, pixel: Points) -> tuple[int, int]:
    """Row and column; raises Unusable outside the image."""
    x, y = (round(float(v)) for v in pixel)
    if not (0 <= y < grid.shape[0] and 0 <= x < grid.shape[1]):
        raise Unusable(f"a region lies outside the image: row {y}, column {x} of {grid.shape}")
    return y, x


def _box(grid: Grid, corners: Points) -> tuple[slice, slice]:
    """Rows and columns around these x, y; raises Unusable where that is outside the image."""
    near = np.clip(corners, -_FAR, _FAR)
    low, high = np.floor(near.min(axis=0)).astype(int), np.ceil(near.max(axis=0)).astype(int) + 1
    rows = slice(max(int(low[1]), 0), min(int(high[1]), grid.shape[0]))
    columns = slice(max(int(low[0]), 0), min(int(high[0]), grid.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise Unusable(
            f"a region lies outside the image: rows {low[1]} to {high[1]}, columns {low[0]} to {high[0]} of {grid.shape}"
        )
    return rows, columns


def _axes(turned: Orientation) -> tuple[Points, Points]:
    row, column = np.reshape(np.asarray(turned, dtype=np.float64), (2, 3))
    return row, column
