"""What a case is made of: the files of one series, the marks of its nodule, and why a patient has none."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydicom import dcmread

from inference.dataset.marks import Marks
from inference.evaluation.subject import Sex

_TAGS = [
    "SpecificCharacterSet", "Manufacturer", "ManufacturerModelName", "AcquisitionDate", "StudyDate", "PatientAge",
    "PatientSex",
]  # fmt: skip
_PHANTOMS = "sedas-node"  # Manufacturer of what `inference.synthetic` draws
_WORDS = re.compile(r"[\w+./\\() -]{1,64}", re.ASCII)


class Reason(StrEnum):
    """Why a patient of the table is no case, found when the images are looked for and read."""

    NO_IMAGES = "no images"
    TWO_PATIENTS = "images of several patients in the study"
    SEVERAL_STUDIES = "several studies, and the table names none"
    NO_SERIES = "no series that can be used"
    NOTHING_MARKED = "no annotation"
    NO_VOLUME = "images that make no volume"
    NO_LUNGS = "no lungs found"
    LESION_ELSEWHERE = "no lesion marked in the series used"


@dataclass(frozen=True)
class Missing:
    """No case. `detail` holds UIDs and numbers, nothing of a person."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class Images:
    """The series that is used, and what marks the nodule in it."""

    slices: tuple[Path, ...]
    marks: Marks
    sha256: str  # of what tells these files from others


@dataclass(frozen=True)
class Acquisition:
    """What a header says beside the images. What it does not say is None or empty."""

    scanner: str  # manufacturer and model
    on: date | None
    age_years: int | None
    sex: Sex | None
    synthetic: bool


def acquisition(path: Path) -> Acquisition:
    """Of a file that has been read as DICOM before."""
    ds = dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
    maker = str(ds.get("Manufacturer") or "").strip()
    return Acquisition(
        scanner=worded(f"{maker} {ds.get('ManufacturerModelName') or ''}"),
        on=_date(ds.get("AcquisitionDate")) or _date(ds.get("StudyDate")),
        age_years=_years(str(ds.get("PatientAge") or "")),
        sex=next((sex for sex in Sex if sex == str(ds.get("PatientSex") or "").strip()), None),
        synthetic=maker == _PHANTOMS,
    )


def worded(text: str) -> str:
    """As a manifest may quote a header: names of devices and kernels, and nothing that is none."""
    said = " ".join(text.split())
    return said if not said or _WORDS.fullmatch(said) else "not readable"


def _date(value: Any) -> date | None:
    try:
        return datetime.strptime(str(value or ""), "%Y%m%d").date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def _years(age: str) -> int | None:
    """PS3.5 6.2; an age in months or days is that of a child."""
    return int(age[:3]) if re.fullmatch(r"\d{3}Y", age) and int(age[:3]) else None
