"""Which images and series are ours to analyse; each refusal is one sentence."""

import math
import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, CTImageStorage

from config.settings import Eligibility
from node.headers import Header, Triple

_NOT_A_SLICE = frozenset(
    {
        "LOCALIZER",
        "SCOUT",
        "SCREEN SAVE",
        "DOSE",
        "DOSE_INFO",
        "SNAPSHOT",
        "PROJECTION IMAGE",
        "MIP",
        "MINIP",
        "VRT",
    }
)
_CHEST = re.compile(r"chest|thora|torax|lung|lunge|pulmo|poumon|polmon|胸|肺", re.IGNORECASE)

_ELSEWHERE = re.compile(
    r"\b(head|brain|skull|cranium|sinus|neck|abdomen|pelvis|spine|knee|foot|hand|hip|shoulder)\b",
    re.IGNORECASE,
)


def why_not_image(header: Header, rules: Eligibility) -> str | None:
    """Why this image cannot be part of the volume, or None if it can."""
    if header.sop_class_uid != CTImageStorage:
        return f"its SOP class is {UID(header.sop_class_uid).name}, expected {CTImageStorage.name}"
    if header.modality != "CT":
        return f"its modality is {header.modality or 'empty'}, expected CT"
    if marks := sorted(_NOT_A_SLICE.intersection(value.upper() for value in header.image_type)):
        return f"its image type says {marks[0]}"
    if header.samples_per_pixel != 1:
        return f"it has {header.samples_per_pixel} samples per pixel, expected 1 (a screenshot?)"
    if not can_decode(header.transfer_syntax_uid):
        return f"its transfer syntax {UID(header.transfer_syntax_uid).name} cannot be decoded"
    if header.position_mm is None or header.row_direction is None or header.column_direction is None:
        return "it has no position and orientation in the patient"
    tilt = tilt_degrees(header.row_direction, header.column_direction)
    if not tilt <= rules.maximum_tilt_degrees:
        return f"it is not axial: tilted by {tilt:.0f} degrees, at most {rules.maximum_tilt_degrees:.0f}"
    return None


def why_not_series(slices: Sequence[Header], rules: Eligibility) -> str | None:
    """Why a series of these usable slices is not analysed, or None if it may be."""
    first = slices[0]
    if first.age_years is not None and first.age_years < rules.minimum_age_years:
        return f"the patient is {first.age_years:.0f} years old, at least {rules.minimum_age_years}"
    if not is_chest(first):
        return f"it is not a chest: {first.body_part or first.descriptions}"
    if len(slices) < rules.minimum_slices:
        return f"it has {len(slices)} slices, at least {rules.minimum_slices}"
    thickness = first.slice_thickness_mm
    if thickness is not None and thickness > rules.maximum_slice_thickness_mm:
        return f"its slices are {thickness:g} mm thick, at most {rules.maximum_slice_thickness_mm:g} mm"
    if (covered := coverage_mm(slices)) < rules.minimum_coverage_mm:
        return f"it covers {covered:.0f} mm, at least {rules.minimum_coverage_mm:.0f} mm"
    return None


@cache
def can_decode(transfer_syntax_uid: str) -> bool:
    """Is there a decoder for pixels in this transfer syntax?"""
    try:
        return bool(get_decoder(UID(transfer_syntax_uid)).is_available)
    except NotImplementedError:
        return False


def is_chest(header: Header) -> bool:
    """A chest by its body part or in its descriptions; where nothing is said the lungs will tell."""
    said = f"{header.body_part} {header.descriptions}"
    if _CHEST.search(said):
        return True
    return not header.body_part and not _ELSEWHERE.search(said)


def normal(row: Triple, column: Triple) -> Triple:
    """The unit vector across the slice, towards the head for an axial slice."""
    across = np.cross(row, column)
    length = float(np.linalg.norm(across)) or math.nan
    x, y, z = (across if across[2] >= 0 else -across) / length
    return float(x), float(y), float(z)


def tilt_degrees(row: Triple, column: Triple) -> float:
    """The angle between the slice's normal and the body's axis; NaN for a broken orientation."""
    return math.degrees(math.acos(min(abs(normal(row, column)[2]), 1.0)))


def coverage_mm(slices: Sequence[Header]) -> float:
    """From the first to the last slice along their normal, both whole."""
    first = slices[0]
    if first.row_direction is None or first.column_direction is None:
        return 0.0
    across = normal(first.row_direction, first.column_direction)
    heights = [float(np.dot(across, s.position_mm)) for s in slices if s.position_mm is not None]
    return max(heights) - min(heights) + (first.slice_thickness_mm or 0.0)
