"""The tables a site brings: of its patients, of their marked slices, of who trains, selects and tests, of what nodules turned out to be."""

import re
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from inference.dataset.delimited import read
from inference.evaluation.subject import Sex
from inference.marks.slice_lists import Listed

NOT_STATED: Final = "not stated"


class Part(StrEnum):
    TRAIN = "train"
    SELECTION = "selection"
    TEST = "test"


_PLAIN = re.compile(r"\d+([.,]\d+)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SHORTEST_ID = 4  # characters: a shorter one would be found in many a sentence


def _number(text: str) -> str:
    """With a point or a comma; not what Python takes besides (1e3, 1_0, nan)."""
    if not _PLAIN.fullmatch(text):
        raise ValueError("expected a number such as 12.5")
    return text.replace(",", ".")


def _day(text: str) -> str:
    """Not what pydantic takes besides: seconds since 1970."""
    if not _DAY.fullmatch(text):
        raise ValueError("expected a date as YYYY-MM-DD")
    return text


def _yes(text: str) -> bool:
    if text.lower() not in ("yes", "no"):
        raise ValueError("expected yes or no")
    return text.lower() == "yes"


PatientId = Annotated[str, Field(max_length=64)]  # LO (PS3.5 6.2)
Uid = Annotated[str, Field(max_length=64, pattern=r"^[0-9]+(\.[0-9]+)+$")]  # PS3.5 9.1
Label = Literal["PIMA", "IPN"]
LABELS: tuple[Label, Label] = ("PIMA", "IPN")
Confirmation = Literal["histology", "follow_up", "microbiology", "other", "not stated"]
Lobe = Literal["LUL", "LLL", "RUL", "RML", "RLL", ""]

LabelCell = Annotated[Label, BeforeValidator(str.upper)]
ConfirmationCell = Annotated[Confirmation, BeforeValidator(str.lower)]
LobeCell = Annotated[Lobe, BeforeValidator(str.upper)]
DateCell = Annotated[date, BeforeValidator(_day)]
SizeCell = Annotated[float, BeforeValidator(_number), Field(ge=1, le=400)]  # mm
YesCell = Annotated[bool, BeforeValidator(_yes)]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One patient; the fields are the table's columns. What is not known is None or empty."""

    number: int  # of the row, the header being 1
    patient_id: PatientId = field(repr=False)
    label: LabelCell
    confirmed_by: ConfirmationCell = NOT_STATED
    acquired: DateCell | None = None
    size_mm: SizeCell | None = None
    lobe: LobeCell = ""
    sex: Annotated[Sex, BeforeValidator(str.upper)] | None = None
    age: Annotated[int, BeforeValidator(_number), Field(ge=0, le=120)] | None = None  # years
    site: Annotated[str, Field(max_length=80)] = ""
    hard: YesCell | None = None
    study_instance_uid: Uid = ""
    confirmed_on: DateCell | None = None  # the histology
    follow_up_months: Annotated[float, BeforeValidator(_number), Field(le=600)] | None = None
    exclude: Annotated[str, Field(max_length=80)] = ""  # why the patient was screened and left out

    def __post_init__(self) -> None:
        if len(self.patient_id) < _SHORTEST_ID:
            return
        for column in ("exclude", "site"):
            if self.patient_id.lower() in getattr(self, column).lower():
                raise ValueError(f"{column} names the patient, and stands in reports")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    number: int
    patient_id: PatientId = field(repr=False)
    part: Annotated[Part, BeforeValidator(str.lower)]


@dataclass(frozen=True, kw_only=True)
class MarkedSlice:
    """An image that shows a lesion; patient and study are for people."""

    number: int
    sop_instance_uid: Uid
    lesion: Annotated[int, BeforeValidator(_number), Field(ge=0, le=9999)] = 1  # its number in the patient
    patient_id: str = field(default="", repr=False)
    study_instance_uid: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What the nodule of one study turned out to be. What is not known is None or empty."""

    number: int
    study_instance_uid: Uid
    label: LabelCell
    confirmed_by: ConfirmationCell = NOT_STATED
    confirmed_on: DateCell | None = None
    size_mm: SizeCell | None = None
    lobe: LobeCell = ""
    hard: YesCell | None = None


def read_table(path: Path) -> tuple[Row, ...]:
    """Every patient and every study once; else BadTable with all mistakes."""
    return read(path, Row, "the table of patients", once=("patient_id", "study_instance_uid"))


def read_parts(path: Path) -> tuple[Assignment, ...]:
    """Every patient once; else BadTable with all mistakes."""
    return read(path, Assignment, "the table of parts", once=("patient_id",))


def read_slices(path: Path) -> tuple[Listed, ...]:
    """Each once; else BadTable with all mistakes."""
    return tuple(
        dict.fromkeys(
            Listed(row.sop_instance_uid, row.lesion) for row in read(path, MarkedSlice, "the list of slices")
        )
    )


def read_diagnoses(path: Path) -> tuple[Diagnosis, ...]:
    """Every study once; else BadTable with all mistakes."""
    return read(path, Diagnosis, "the table of diagnoses", once=("study_instance_uid",))
