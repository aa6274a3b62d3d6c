"""One patient as a report sees it: the truth, the scores, and what patients are grouped by."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from pydantic import TypeAdapter

from inference.evaluation.sample import Scores, Truth


class Sex(StrEnum):
    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


class Period(StrEnum):
    """Half of the time over which a cohort was acquired."""

    EARLIER = "earlier"
    LATER = "later"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is not known is None or empty; a report counts it and leaves the patient out of that group only."""

    name: str  # a pseudonym, or a Study Instance UID; nothing of a person
    positive: bool  # PIMA
    probability: float | None  # of PIMA, 0..1; None where the model gave none
    slice_probabilities: tuple[float, ...] = ()
    confirmed_by: str = ""
    size_mm: float | None = None  # longest axial diameter
    age_years: int | None = None
    sex: Sex | None = None
    lobe: str = ""
    period: Period | None = None
    month: str = ""  # of acquisition, yyyy-mm
    year: int | None = None  # of acquisition, where the month is not kept
    site: str = ""
    scanner: str = ""  # manufacturer and model
    kernel: str = ""
    slice_thickness_mm: float | None = None
    hard: bool | None = None  # of the predefined hard cases
    lung_volume_ml: float | None = None

    @property
    def slices(self) -> int:
        return len(self.slice_probabilities)


def truth_of(subjects: Sequence[Subject]) -> Truth:
    return np.array([subject.positive for subject in subjects], dtype=np.bool_)


def probabilities_of(subjects: Sequence[Subject]) -> Scores:
    """Of patients that all have one."""
    if unscored := [subject.name for subject in subjects if subject.probability is None]:
        raise ValueError(
            f"{len(unscored)} of {len(subjects)} patients have no probability, first {unscored[0]}"
        )
    return np.array([subject.probability for subject in subjects], dtype=np.float64)


_FILE = TypeAdapter(tuple[Subject, ...])


def to_json(subjects: Sequence[Subject]) -> bytes:
    return _FILE.dump_json(tuple(subjects), indent=2)


def from_json(content: bytes) -> tuple[Subject, ...]:
    """Raises pydantic's ValidationError for what is no list of subjects."""
    return _FILE.validate_json(content)
