"""What a report groups results by, from the headers of the analysed images: no name, no birth date, no identifier."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from inference.unreadable import UNREADABLE
from node.attributes import age_in_years, number, texts

_SEXES = frozenset({"F", "M", "O"})  # PS3.3 C.7.1.1
_DATES = ("AcquisitionDate", "SeriesDate", "StudyDate")
_OLDEST = 90  # years: who is older could be known by it
_LONGEST = 64  # characters of LO (PS3.5 6.2); what is longer is cut


@dataclass(frozen=True)
class Acquisition:
    """What the images do not say, or say in no form of the standard, is None."""

    age_years: int | None  # 90: or older
    sex: str | None  # F, M or O
    month: str | None  # yyyy-mm
    manufacturer: str | None
    scanner_model: str | None
    kernel: str | None
    slice_thickness_mm: float | None
    site: str | None  # the institution


def acquisition_of(headers: Sequence[Dataset]) -> Acquisition:
    """Of one series: the first image by its UID speaks for all."""
    ds = min(headers, key=lambda header: str(header.SOPInstanceUID))
    age = age_in_years(ds)
    sex = _word(ds, "PatientSex")
    return Acquisition(
        age_years=None if age is None else min(int(age), _OLDEST),
        sex=sex if sex in _SEXES else None,
        month=_month(ds),
        manufacturer=_word(ds, "Manufacturer"),
        scanner_model=_word(ds, "ManufacturerModelName"),
        kernel=_word(ds, "ConvolutionKernel"),
        slice_thickness_mm=number(_value(ds, "SliceThickness")) or None,
        site=_word(ds, "InstitutionName"),
    )


def _word(ds: Dataset, keyword: str) -> str | None:
    return "\\".join(texts(_value(ds, keyword)))[:_LONGEST] or None


def _value(ds: Dataset, keyword: str) -> object:
    """What cannot be read counts as absent: it is no reason to lose a result."""
    try:
        return ds.get(keyword)
    except UNREADABLE:
        return None


def _month(ds: Dataset) -> str | None:
    dates = (str(_value(ds, keyword) or "") for keyword in _DATES)
    known = (date for date in dates if re.fullmatch(r"[12]\d{3}(0[1-9]|1[0-2])\d\d", date))
    return next((f"{date[:4]}-{date[4:6]}" for date in known), None)
