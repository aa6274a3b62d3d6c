"""Lesions of the two classes, as caricatures: where they lie and how they are drawn.

Both classes are given to the same people and overlap in size and place, so that only the lesion
itself tells them apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.extent import longest_axial_mm
from inference.synthetic import anatomy
from inference.synthetic.anatomy import Anatomy, Field, Point
from inference.synthetic.lobes import Lobe, in_lobe
from inference.synthetic.tubes import Grid, Hu, Tube, draw_tube

SOLID_HU = 35.0
_POINTS = 4000  # tried for the centre of a lesion
_FEW = 40  # of those in the lobe, the deepest is taken where a lesion has no room
_FITS = 8  # at most, until a lesion has its size


@dataclass(frozen=True)
class Lesion:
    """A union of ellipsoids with a wavy surface, kept inside the lung."""

    centre: Point
    balls: tuple[tuple[Point, Point], ...]  # centre and half axes of each
    waves: tuple[tuple[Point, float, float], ...]  # wave vector per mm, phase, amplitude in mm
    edge: float  # mm over which its density falls
    halo: float  # mm of ground glass around it
    bronchi: tuple[Tube, ...]  # air in the solid part

    @property
    def reach(self) -> float:
        """No part is farther from the centre, in mm."""
        far = (np.linalg.norm(np.subtract(c, self.centre)) + max(h) for c, h in self.balls)
        return float(max(far)) + self.halo + 4.0 + sum(abs(w[2]) for w in self.waves)

    def scaled(self, factor: float) -> "Lesion":
        """The same shape at the same place, larger or smaller."""

        def moved(point: Point) -> Point:
            x, y, z = (c + factor * (p - c) for p, c in zip(point, self.centre, strict=True))
            return x, y, z

        def grown(numbers: Point, by: float) -> Point:
            x, y, z = (by * n for n in numbers)
            return x, y, z

        return replace(
            self,
            balls=tuple((moved(centre), grown(half, factor)) for centre, half in self.balls),
            waves=tuple((grown(k, 1 / factor), phase, factor * a) for k, phase, a in self.waves),
            bronchi=tuple(replace(t, start=moved(t.start), end=moved(t.end)) for t in self.bronchi),
        )


def pima_like(size: float, person: Anatomy, rng: np.random.Generator, lobe: Lobe | None = None) -> Lesion:
    """Lobulated and wavy, with air bronchograms and a halo of ground glass; mostly basal, at the pleura."""
    centre = _centre(person, size / 2, rng, lobe, peripheral=rng.random() < 0.7)
    radius = size / 2
    balls = tuple(_ball(centre, radius * 0.5, radius * rng.uniform(0.48, 0.68), rng) for _ in range(6))
    bronchi = tuple(_bronchus(centre, radius, person, rng) for _ in range(int(rng.integers(3, 6))))
    return Lesion(centre, balls, _waves(radius, 0.09 * radius, rng), 1.5, rng.uniform(5, 12), bronchi)


def ipn_like(size: float, person: Anatomy, rng: np.random.Generator, lobe: Lobe | None = None) -> Lesion:
    """One smooth round body with a sharp edge; at the pleura it is a wedge, flat against the ribs."""
    radius = size / 2
    centre = _centre(person, radius, rng, lobe, peripheral=rng.random() < 0.35)
    half = radius * rng.uniform(0.8, 1.0, 3)
    half[int(rng.integers(2))] = radius
    return Lesion(centre, ((centre, (half[0], half[1], half[2])),), (), 1.0, 0.0, ())


def draw_lesion(hu: Hu, grid: Grid, lesion: Lesion, person: Anatomy) -> NDArray[np.bool_]:
    """Blend the lesion into `hu`; returns its solid extent, air bronchograms included."""
    extent = np.zeros(hu.shape, dtype=np.bool_)
    box, solid, haze = _parts(grid, lesion, person)
    shown = hu[box]
    shown += 0.55 * haze * np.maximum(-250.0 - shown, 0.0)
    shown += solid * (SOLID_HU - shown)
    for tube in lesion.bronchi:
        draw_tube(hu, grid, tube, -850.0)
    extent[box] = solid >= 0.5
    return extent


def extent_of(grid: Grid, lesion: Lesion, person: Anatomy) -> NDArray[np.bool_]:
    """What `draw_lesion` returns, without drawing it."""
    extent = np.zeros((grid.z.size, grid.y.size, grid.x.size), dtype=np.bool_)
    box, solid, _ = _parts(grid, lesion, person)
    extent[box] = solid >= 0.5
    return extent


def fitted(lesion: Lesion, size_mm: float, grid: Grid, person: Anatomy) -> tuple[Lesion, float]:
    """Scaled until it is seen as large as wanted, as far as the lung has room; and how large that is, in mm."""
    nearest = lesion, 0.0
    for _ in range(_FITS):
        _, solid, _ = _parts(grid, lesion, person)
        measured = longest_axial_mm(solid >= 0.5, (grid.thickness, grid.pixel, grid.pixel))
        if abs(measured - size_mm) < abs(nearest[1] - size_mm):
            nearest = lesion, measured
        if abs(measured - size_mm) <= tolerance_mm(size_mm, grid):
            break
        lesion = lesion.scaled(float(np.clip(size_mm / max(measured, grid.pixel), 0.6, 1.4)))
    return nearest


def tolerance_mm(size_mm: float, grid: Grid) -> float:
    """How far from the wanted size a lesion may come out."""
    return max(0.01 * size_mm, 0.5 * grid.pixel)


def _parts(
    grid: Grid, lesion: Lesion, person: Anatomy
) -> tuple[tuple[slice, slice, slice], NDArray[np.float64], NDArray[np.float64]]:
    """The box of the grid that holds the lesion, and in it the shares of solid tissue and of ground glass."""
    c, r = lesion.centre, lesion.reach
    box = zs, ys, xs = grid.window((c[0] - r, c[1] - r, c[2] - r), (c[0] + r, c[1] + r, c[2] + r))
    x, y, z = grid.x[None, None, xs], grid.y[None, ys, None], grid.z[zs, None, None]
    solid = np.zeros((z.shape[0], y.shape[1], x.shape[2]))
    haze = np.zeros_like(solid)
    for step in (-0.33, 0.0, 0.33):  # partial volume over the slice
        inside = anatomy.lungs(person, x, y, z + step * grid.thickness)
        distance = np.maximum(_surface(lesion, x, y, z + step * grid.thickness), inside)
        solid += np.clip(0.5 - distance / lesion.edge, 0.0, 1.0) / 3.0
        haze += np.where(inside < 0, np.clip(1.0 - distance / (lesion.halo + 1e-3), 0.0, 1.0), 0.0) / 3.0
    return box, solid, haze


def _surface(lesion: Lesion, x: Field, y: Field, z: Field) -> Field:
    bodies = [_ellipsoid(c, h, x, y, z) for c, h in lesion.balls]
    distance = bodies[0]
    for body in bodies[1:]:
        distance = np.minimum(distance, body)
    for k, phase, amplitude in lesion.waves:
        distance = distance + amplitude * np.cos(k[0] * x + k[1] * y + k[2] * z + phase)
    return distance


def _ellipsoid(centre: Point, half: Point, x: Field, y: Field, z: Field) -> Field:
    u = ((x - centre[0]) / half[0]) ** 2 + ((y - centre[1]) / half[1]) ** 2 + ((z - centre[2]) / half[2]) ** 2
    distance: Field = (np.sqrt(u) - 1.0) * min(half)
    return distance


def _ball(centre: Point, spread: float, radius: float, rng: np.random.Generator) -> tuple[Point, Point]:
    offset = rng.uniform(-1.0, 1.0, 3) * spread
    return (centre[0] + offset[0], centre[1] + offset[1], centre[2] + offset[2]), (radius, radius, radius)


def _waves(
    radius: float, amplitude: float, rng: np.random.Generator
) -> tuple[tuple[Point, float, float], ...]:
    def wave() -> tuple[Point, float, float]:
        k = rng.normal(0.0, 1.0, 3) * 4.0 / radius
        return (k[0], k[1], k[2]), rng.uniform(0.0, 2 * np.pi), amplitude / 2

    return tuple(wave() for _ in range(4))


def _bronchus(centre: Point, radius: float, person: Anatomy, rng: np.random.Generator) -> Tube:
    """From the side of the hilum through the lesion."""
    hilum = np.asarray(person.hilum(1 if centre[0] > 0 else -1))
    towards = hilum - centre
    towards = towards / np.linalg.norm(towards)
    start = np.asarray(centre) + towards * radius + rng.normal(0.0, 0.15, 3) * radius
    end = np.asarray(centre) + rng.normal(0.0, 0.45, 3) * radius
    return Tube((start[0], start[1], start[2]), (end[0], end[1], end[2]), rng.uniform(1.2, 2.2))


def _centre(
    person: Anatomy, radius: float, rng: np.random.Generator, lobe: Lobe | None, *, peripheral: bool
) -> Point:
    if lobe is None:
        return _place(person, radius, rng, peripheral=peripheral)
    return _place_in(lobe, person, radius, rng, peripheral=peripheral)


def _place(person: Anatomy, radius: float, rng: np.random.Generator, *, peripheral: bool) -> Point:
    """A centre in a lung, away from the mediastinum; `peripheral` ones are low and touch the ribs."""
    best: Point | None = None
    for point in _points(person, rng):
        x, y, z = (np.asarray(v) for v in point)
        ribs = float(anatomy.cage(person, x, y, z))
        depth = float(anatomy.lungs(person, x, y, z))
        free = float(anatomy.mediastinum(person, x, y, z)) - radius
        if (
            peripheral
            and -0.75 * radius < ribs < -0.35 * radius
            and z < 0.55 * person.height
            and free > 4
            and depth < 0
        ):
            return point
        if not peripheral and depth < -1.15 * radius and free > 8:
            return point
        if best is None and depth < -0.5 * radius and free > -0.3 * radius:
            best = point
    if best is None:
        raise NoPlaceForLesion(f"no place for a lesion of radius {radius:.0f} mm")
    return best


def _place_in(
    lobe: Lobe, person: Anatomy, radius: float, rng: np.random.Generator, *, peripheral: bool
) -> Point:
    """A centre in `lobe`, away from the mediastinum; where nothing has room, one deep in the lung."""
    half, depth = person.cage
    x, y, z = rng.uniform(
        (-half, -depth, 0.1 * person.height), (half, depth, 0.9 * person.height), (_POINTS, 3)
    ).T
    to_surface = anatomy.lungs(person, x, y, z)
    inside = in_lobe(lobe, person, x, y, z) & (to_surface < 0)
    free = anatomy.mediastinum(person, x, y, z) - radius
    ribs = anatomy.cage(person, x, y, z)
    roomy = (
        (-0.75 * radius < ribs) & (ribs < -0.35 * radius) & (free > 4)
        if peripheral
        else (to_surface < -1.15 * radius) & (free > 8)
    )
    some = np.flatnonzero(inside)[:_FEW]
    if not some.size:
        raise NoPlaceForLesion(f"none of {_POINTS} points lies in the {lobe}")
    fitting = np.flatnonzero(inside & roomy)
    best = fitting[0] if fitting.size else some[np.argmin(to_surface[some])]
    return float(x[best]), float(y[best]), float(z[best])


def _points(person: Anatomy, rng: np.random.Generator) -> Iterator[Point]:
    half, depth = person.cage
    for _ in range(_POINTS):
        x, y, z = rng.uniform((-half, -depth, 0.1 * person.height), (half, depth, 0.9 * person.height))
        yield (float(x), float(y), float(z))


class NoPlaceForLesion(ValueError):
    """The lungs of this phantom are too small for a lesion of that size."""
