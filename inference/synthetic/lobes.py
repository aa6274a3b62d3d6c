"""The five lobes of a drawn person: the lungs have no visible fissures, planes through them stand for these.

The oblique fissure of either side rises from the front of the base to the back, where it ends below the apex; the
right horizontal one lies level, from the oblique one forward.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inference.synthetic.anatomy import Anatomy, Field, Point

# Heights as a share of the lung's: of the oblique fissure midway between front and back, its rise from there to the
# back, and of the horizontal one. They make LUL 26, LLL 22, RUL 20, RML 8 and RLL 24 % of the volume of the lungs.
_OBLIQUE, _RISE, _HORIZONTAL = 0.48, 0.33, 0.52


class Lobe(StrEnum):
    LUL = "LUL"  # left upper, with the lingula
    LLL = "LLL"
    RUL = "RUL"
    RML = "RML"
    RLL = "RLL"


def in_lobe(lobe: Lobe, person: Anatomy, x: Field, y: Field, z: Field) -> NDArray[np.bool_]:
    """Whether points of the lungs lie in `lobe`."""
    left = x > 0
    above = z / person.height > _OBLIQUE + _RISE * y / person.cage[1]
    high = z / person.height > _HORIZONTAL
    match lobe:
        case Lobe.LUL:
            return np.asarray(left & above)
        case Lobe.LLL:
            return np.asarray(left & ~above)
        case Lobe.RUL:
            return np.asarray(~left & above & high)
        case Lobe.RML:
            return np.asarray(~left & above & ~high)
        case Lobe.RLL:
            return np.asarray(~left & ~above)


def lobe_at(point: Point, person: Anatomy) -> Lobe:
    """The lobe that a point of the lungs lies in: always exactly one."""
    x, y, z = (np.asarray(v) for v in point)
    return next(lobe for lobe in Lobe if in_lobe(lobe, person, x, y, z))
