"""What patients are grouped by, and in which group each is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.evaluation.subject import Sex, Subject

SMALL_MM = 30.0  # paper, section Statistics
OLD_YEARS = 65
_SEX = {Sex.FEMALE: "female", Sex.MALE: "male", Sex.OTHER: "other", None: ""}
_HARD = {True: "hard case", False: "other case", None: ""}


@dataclass(frozen=True)
class Aspect:
    name: str
    group: Callable[[Subject], str]  # empty where it is not known


def _size(subject: Subject) -> str:
    if subject.size_mm is None:
        return ""
    return "< 30 mm" if subject.size_mm < SMALL_MM else "≥ 30 mm"


def _age(subject: Subject) -> str:
    if subject.age_years is None:
        return ""
    return "< 65 years" if subject.age_years < OLD_YEARS else "≥ 65 years"


def _thickness(subject: Subject) -> str:
    return "" if subject.slice_thickness_mm is None else f"{subject.slice_thickness_mm:.4g} mm"


SIZE = Aspect("size", _size)
AGE = Aspect("age", _age)
PERIOD = Aspect("period", lambda subject: subject.period or "")
SEX = Aspect("sex", lambda subject: _SEX[subject.sex])
LOBE = Aspect("lobe", lambda subject: subject.lobe)
SITE = Aspect("site", lambda subject: subject.site)
SCANNER = Aspect("scanner", lambda subject: subject.scanner)
KERNEL = Aspect("kernel", lambda subject: subject.kernel)
THICKNESS = Aspect("slice thickness", _thickness)
HARD = Aspect("hard cases", lambda subject: _HARD[subject.hard])
CONFIRMED = Aspect("confirmed by", lambda subject: subject.confirmed_by.replace("_", " "))

OF_SUBGROUPS = (SIZE, PERIOD, SEX, AGE, SITE, SCANNER, KERNEL, THICKNESS, HARD)
OF_COHORT = (SEX, LOBE, PERIOD, SITE, SCANNER, KERNEL, THICKNESS, HARD, CONFIRMED)


def groups(aspect: Aspect, subjects: Sequence[Subject]) -> tuple[str, ...]:
    """Those that occur, by the number they begin with, then by name."""
    return tuple(sorted({aspect.group(subject) for subject in subjects} - {""}, key=_by_number))


def _by_number(group: str) -> tuple[float, str]:
    first, _, _ = group.partition(" ")
    return (float(first) if first.replace(".", "", 1).isdecimal() else 0.0, group)
