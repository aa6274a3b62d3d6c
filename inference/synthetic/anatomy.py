"""A synthetic adult thorax as surfaces: signed distances in mm, negative inside.

x, y, z are mm towards left, posterior and head; the lungs stand on z = 0. Arrays broadcast.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32] | NDArray[np.float64]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Anatomy:
    """One person's measures in mm."""

    body: tuple[float, float]  # half axes, x and y
    fat: float  # thickness under the skin
    height: float  # of the lungs, base to apex
    mediastinum: tuple[float, float]  # half axes
    heart: Point  # half axes
    dome: float  # height of the right diaphragm over the lung base
    trachea: float  # radius
    spine: float  # radius of a vertebral body
    rib_gap: float  # from rib to rib

    @property
    def cage(self) -> tuple[float, float]:
        """Half axes of the inside of the ribs."""
        return self.body[0] - self.fat - 15.0, self.body[1] - self.fat - 12.0

    @property
    def carina(self) -> Point:
        return (0.0, 8.0, 0.6 * self.height)

    def hilum(self, side: int) -> Point:
        """Where vessels and bronchi enter the lung on `side`: -1 right, 1 left."""
        return (side * (self.mediastinum[0] + 6.0), 10.0, 0.48 * self.height)


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Another adult each time; both lesion classes are given to people of this one distribution."""
    return Anatomy(
        body=(rng.uniform(150, 168), rng.uniform(106, 122)),
        fat=rng.uniform(8, 20),
        height=rng.uniform(205, 245),
        mediastinum=(rng.uniform(27, 35), rng.uniform(52, 62)),
        heart=(rng.uniform(50, 62), rng.uniform(40, 50), rng.uniform(44, 54)),
        dome=rng.uniform(50, 75),
        trachea=rng.uniform(7.5, 9.5),
        spine=rng.uniform(16, 20),
        rib_gap=rng.uniform(24, 29),
    )


def ellipse(
    x: Field, y: Field, centre: tuple[float, float], half: tuple[float, float], power: float = 2.0
) -> Field:
    """Signed distance to a superellipse, near enough at its edge."""
    u = np.abs((x - centre[0]) / half[0]) ** power + np.abs((y - centre[1]) / half[1]) ** power
    distance: Field = (u ** (1.0 / power) - 1.0) * min(half)
    return distance


def body(a: Anatomy, x: Field, y: Field) -> Field:
    return ellipse(x, y, (0.0, 0.0), a.body, 2.3)


def cage(a: Anatomy, x: Field, y: Field, z: Field) -> Field:
    """The inside of the ribs, closing over the apex."""
    rise = np.clip((z / a.height - 0.35) / 0.68, 0.0, 0.98) ** 2.5
    shrink = np.sqrt(1.0 - rise)
    u = (np.abs(x / a.cage[0]) ** 2.3 + np.abs(y / a.cage[1]) ** 2.3) ** (1 / 2.3)
    distance: Field = np.maximum((u / shrink - 1.0) * shrink * a.cage[1], z - a.height)
    return distance


def spine(a: Anatomy, x: Field, y: Field) -> Field:
    return ellipse(x, y, (0.0, a.cage[1] - 0.4 * a.spine), (a.spine, 0.85 * a.spine))


def heart(a: Anatomy, x: Field, y: Field, z: Field) -> Field:
    """It stands on the diaphragm: no lung below it."""
    up = np.maximum(z - a.dome - 0.35 * a.heart[2], 0.0) / a.heart[2]
    u = ((x - 0.35 * a.heart[0]) / a.heart[0]) ** 2 + ((y + 0.25 * a.cage[1]) / a.heart[1]) ** 2 + up**2
    distance: Field = (np.sqrt(u) - 1.0) * min(a.heart)
    return distance


def mediastinum(a: Anatomy, x: Field, y: Field, z: Field) -> Field:
    """Great vessels, heart, spine and the thin septum before and behind: what parts the lungs."""
    narrow = np.where(z > a.carina[2], 0.85, 1.0)
    vessels = ellipse(x / narrow, y, (0.0, 2.0), a.mediastinum)
    septum = np.abs(x) - 3.0
    column = spine(a, x, y) - 4.0
    return np.minimum(np.minimum(np.minimum(vessels, septum), column), heart(a, x, y, z))


def diaphragm(a: Anatomy, x: Field, y: Field, z: Field) -> Field:
    """Positive above the domes; the right one is higher."""
    top = np.where(x < 0, a.dome, 0.8 * a.dome)
    middle = 0.57 * a.cage[0]
    reach = 1.0 - ((np.abs(x) - middle) / (0.47 * a.cage[0])) ** 2 - ((y - 4.0) / (0.98 * a.cage[1])) ** 2
    return np.minimum(z - top * reach, z)


def lungs(a: Anatomy, x: Field, y: Field, z: Field) -> Field:
    outer = np.maximum(cage(a, x, y, z), -diaphragm(a, x, y, z))
    return np.maximum(outer, -mediastinum(a, x, y, z))
