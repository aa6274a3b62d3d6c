"""Which images and series are ours to analyse; each refusal is one sentence."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, CTImageStorage

from config.settings import Eligibility
from node.headers import Header, Triple

_NOT_A_SLICE = frozenset(
    {"LOCALIZER", "SCOUT", "SCREEN", "DOSE", "SNAPSHOT", "PROJECTION", "PERFUSION", "EFF", "BASIS", "IODINE"}
    | {"MIP", "MINIP", "MIN", "VRT", "RENDERING", "RENDERED"}
)
"""Words of Image Type (0008,0008) that no slice of attenuation has."""

_HOUNSFIELD = frozenset({"", "HU", "US", "HU_MOD"})
_SAYS_NOTHING = frozenset({"", "UNKNOWN", "UNDEFINED", "NONE", "BODY", "TRUNK", "TORSO", "WHOLEBODY"})
_SPINE = re.compile(r"spine|wirbel|column|colonna|rachis|\b[hbl]ws\b", re.IGNORECASE)
_CHEST = re.compile(
    r"chest|thora|torax|torace|lung|pulmo|poumon|polmon|poitrine|brust|borst|klatk|грудн|огк|胸|肺|가슴|흉부",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(head|brain|skull|cranium|kopf|schadel|cct|cabeza|sinus|neck|hals|abdomen|pelvis|becken|knee|foot"
    r"|hand|hip|shoulder)\b",
    re.IGNORECASE,
)
_LYING_FLAT = 0.7  # the least share of a row along the patient's left and right: 45 degrees


def why_not_image(header: Header, rules: Eligibility) -> str | None:
    """Why this image cannot be part of the volume, or None if it can."""
    if header.sop_class_uid != CTImageStorage:
        return f"its SOP class is {UID(header.sop_class_uid).name}, expected {CTImageStorage.name}"
    if header.modality != "CT":
        return "its modality is not CT"
    if marks := sorted(_NOT_A_SLICE.intersection(re.findall(r"[A-Z]+", " ".join(header.image_type).upper()))):
        return f"its image type says {marks[0]}"
    if header.rescale_type.upper() not in _HOUNSFIELD:
        return "its values are not Hounsfield units"
    if header.samples_per_pixel != 1:
        return f"it has {header.samples_per_pixel} samples per pixel, expected 1 (a screenshot?)"
    if not can_decode(header.transfer_syntax_uid):
        return f"its transfer syntax {UID(header.transfer_syntax_uid).name} cannot be decoded"
    return _why_not_axial(header, rules)


def _why_not_axial(header: Header, rules: Eligibility) -> str | None:
    if header.position_mm is None or header.row_direction is None or header.column_direction is None:
        return "it has no position and orientation in the patient"
    tilt = tilt_degrees(header.row_direction, header.column_direction)
    if math.isnan(tilt):
        return "its orientation is none: rows and columns have no direction"
    if tilt > rules.maximum_tilt_degrees:
        return f"it is not axial: tilted by {tilt:.0f} degrees, at most {rules.maximum_tilt_degrees:.0f}"
    if abs(header.row_direction[0]) < _LYING_FLAT:
        return "the patient lies on the side"
    return None


def why_not_series(slices: Sequence[Header], rules: Eligibility) -> str | None:
    """Why a series of these usable slices is not analysed, or None if it may be."""
    most = typical(slices)
    if most.age_years is not None and most.age_years < rules.minimum_age_years:
        return f"the patient is {math.floor(most.age_years)} years old, at least {rules.minimum_age_years}"
    if not is_chest(most):
        return "it is not a chest" + (
            f": it says {said}" if (said := _elsewhere(most)) else " by its body part"
        )
    if len(slices) < rules.minimum_slices:
        return f"it has {len(slices)} slices, at least {rules.minimum_slices}"
    thickness = most.slice_thickness_mm
    if thickness is not None and thickness > rules.maximum_slice_thickness_mm:
        return f"its slices are {thickness:g} mm thick, at most {rules.maximum_slice_thickness_mm:g} mm"
    if (covered := coverage_mm(slices)) < rules.minimum_coverage_mm:
        return f"it covers {covered:.0f} mm, at least {rules.minimum_coverage_mm:.0f} mm"
    return None


def typical(slices: Sequence[Header]) -> Header:
    """The slice whose words and numbers most of them share, whatever order they came in."""
    alike = Counter(_facts(s) for s in slices)
    return min(slices, key=lambda s: (-alike[_facts(s)], s.sop_instance_uid))


def _facts(slice_: Header) -> tuple[object, ...]:
    return (slice_.body_part, slice_.series_words, slice_.kernel, slice_.slice_thickness_mm, slice_.age_years)


@cache
def can_decode(transfer_syntax_uid: str) -> bool:
    """Is there a decoder for pixels in this transfer syntax?"""
    try:
        return bool(get_decoder(UID(transfer_syntax_uid)).is_available)
    except NotImplementedError:
        return False


def is_chest(header: Header) -> bool:
    """What the series says of itself comes first, then what the study says; where nothing is said, lungs tell."""
    body_part, words = _folded(header.body_part), _folded(header.series_words)
    if _SPINE.search(f"{body_part} {words}"):
        return False
    if _CHEST.search(f"{body_part} {words}"):
        return True
    if body_part.upper().replace(" ", "") not in _SAYS_NOTHING or _ELSEWHERE.search(words):
        return False
    study = _folded(header.study_words)
    return bool(_CHEST.search(study)) or not (_ELSEWHERE.search(study) or _SPINE.search(study))


def _elsewhere(header: Header) -> str | None:
    """The part of the body that is named, in a word of ours: a header's own words may name a person."""
    said = _folded(f"{header.body_part} {header.series_words} {header.study_words}")
    named = _SPINE.search(said) or _ELSEWHERE.search(said)
    return named[0].upper() if named else None


def _folded(text: str) -> str:
    """Without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


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
    return max(heights) - min(heights) + (typical(slices).slice_thickness_mm or 0.0)
