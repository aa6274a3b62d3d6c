"""Attributes of a header as plain values, whatever their sender wrote into them."""

import math
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue


def texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (
        tuple(str(v).strip() for v in value)
        if isinstance(value, MultiValue | list | tuple)
        else (str(value).strip(),)
    )


def number(value: Any) -> float | None:
    """A finite number, or None for anything else that a header may hold."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def age_in_years(ds: Dataset) -> float | None:
    """Patient's Age (PS3.5 6.2, `nnnD|W|M|Y`), else from birth and study date; None when unknown.

    De-identifiers leave an age of nothing, or a birth on the day of the study: neither is an age.
    """
    age = str(ds.get("PatientAge") or "")
    per_year = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
    if len(age) == 4 and age[:3].isdigit() and age[3] in per_year and int(age[:3]) > 0:
        return int(age[:3]) / per_year[age[3]]
    born, studied = str(ds.get("PatientBirthDate") or ""), str(ds.get("StudyDate") or "")
    if len(born) == len(studied) == 8 and (born + studied).isdigit() and born < studied:
        return (int(studied) - int(born)) / 10000  # yyyymmdd: whole years are exact
    return None
