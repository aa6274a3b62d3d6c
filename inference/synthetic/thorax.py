"""The thorax of `anatomy.py` in Hounsfield units, slice by slice, with its vessels and airways."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inference.synthetic import anatomy
from inference.synthetic.anatomy import Anatomy, Field
from inference.synthetic.tubes import Grid, Hu, Tube, draw_tube, tree

# Signed distance in mm, Hounsfield units inside, width of the edge in mm; each covers those before it.
Layer = tuple[Field, Field | float, float]


def draw_thorax(person: Anatomy, grid: Grid, rng: np.random.Generator) -> tuple[Hu, NDArray[np.bool_]]:
    hu = np.empty((grid.z.size, grid.y.size, grid.x.size), dtype=np.float32)
    lungs = np.empty(hu.shape, dtype=np.bool_)
    lung_hu = rng.uniform(-880, -830)
    for k, z in enumerate(grid.z):
        hu[k], lungs[k] = _slice(person, grid, np.asarray(z), lung_hu)
    for tube in _vessels(person, rng):
        draw_tube(hu, grid, tube, 40.0)
    for tube in _airways(person, rng):
        draw_tube(hu, grid, Tube(tube.start, tube.end, tube.radius + 1.3), 20.0)
        draw_tube(hu, grid, tube, -990.0)
    return hu, lungs


def _slice(person: Anatomy, grid: Grid, z: Field, lung_hu: float) -> tuple[Hu, NDArray[np.bool_]]:
    x, y = grid.x[None, :], grid.y[:, None]
    lung = anatomy.lungs(person, x, y, z)
    gravity = 30.0 * y / person.cage[1]
    ripple = 12.0 * np.cos(x / 9.0 + z / 7.0) * np.cos(y / 11.0 - z / 9.0)
    hu = np.full(lung.shape, -1005.0, dtype=np.float32)
    for distance, value, edge in (
        *_table_and_skin(person, x, y, grid.pixel),
        *_rib_cage(person, x, y, z, grid.pixel),
        *_spine(person, x, y, grid.pixel),
        (lung, lung_hu + gravity + ripple, 1.2),
    ):
        hu += np.clip(0.5 - distance / edge, 0.0, 1.0) * (value - hu)
    hu[np.hypot(x, y) > grid.x[-1] + grid.pixel] = -1024.0  # outside the scanner's circle
    return hu, lung < 0


def _table_and_skin(person: Anatomy, x: Field, y: Field, pixel: float) -> Iterator[Layer]:
    skin = anatomy.body(person, x, y)
    yield np.abs(np.hypot(x, y + 400.0) - 400.0 - person.body[1] - 6.0) - 2.0, -300.0, pixel
    yield skin, 10.0, pixel
    yield skin + 2.0, -100.0, pixel  # fat
    yield skin + person.fat, 50.0, pixel  # muscle


def _rib_cage(person: Anatomy, x: Field, y: Field, z: Field, pixel: float) -> Iterator[Layer]:
    """Ribs, sternum, and all that the ribs hold: below the diaphragm liver, with the stomach's gas."""
    inside = anatomy.cage(person, x, y, z)
    slant = (z - 0.45 * y + 0.15 * np.abs(x)) / person.rib_gap
    rib = np.maximum(np.abs(inside - 6.0) - 3.5, (np.abs(slant % 1.0 - 0.5) - 0.21) * person.rib_gap)
    yield rib, 380.0, 2.0
    yield rib + 2.0, 180.0, 2.0
    yield anatomy.ellipse(x, y, (0.0, -person.cage[1] - 6.0), (20.0, 6.0)), 200.0, pixel
    yield inside + 1.0, np.where(anatomy.diaphragm(person, x, y, z) < 0, 60.0, 35.0), pixel
    yield np.hypot(np.hypot(x - 60.0, y + 20.0), (z - 0.3 * person.dome + 25.0) * 1.5) - 26.0, -980.0, 1.5


def _spine(person: Anatomy, x: Field, y: Field, pixel: float) -> Iterator[Layer]:
    column = anatomy.spine(person, x, y)
    yield column, 230.0, 2.0
    yield column + 2.5, 150.0, 2.0
    yield anatomy.ellipse(x, y, (0.0, person.cage[1] + 0.85 * person.spine), (8.0, 7.0)), 20.0, pixel


def _vessels(person: Anatomy, rng: np.random.Generator) -> list[Tube]:
    def inside(point: tuple[float, float, float]) -> bool:
        x, y, z = (np.asarray(v) for v in point)
        return float(anatomy.lungs(person, x, y, z)) < -3.0

    tubes: list[Tube] = []
    for side in (-1, 1):
        hilum = np.asarray(person.hilum(side))
        for _ in range(7):
            heading = np.array([side * rng.uniform(0.4, 1.0), rng.uniform(-1, 1), rng.uniform(-1.1, 1.1)])
            root = hilum + rng.normal(0.0, 5.0, 3)
            radius = rng.uniform(3.0, 5.0)
            tubes += tree(
                (root[0], root[1], root[2]), (heading[0], heading[1], heading[2]), radius, rng, inside
            )
    return tubes


def _airways(person: Anatomy, rng: np.random.Generator) -> list[Tube]:
    carina = person.carina
    tubes = [Tube(carina, (0.0, 2.0, person.height + 60.0), person.trachea)]
    for side in (-1, 1):
        hilum = person.hilum(side)
        tubes.append(Tube(carina, hilum, 0.65 * person.trachea))
        for rise in (-35.0, -12.0, 25.0):
            reach = (hilum[0] + side * rng.uniform(15, 30), hilum[1] + rng.uniform(-25, 25), hilum[2] + rise)
            tubes.append(Tube(hilum, reach, rng.uniform(2.0, 3.2)))
    return tubes
