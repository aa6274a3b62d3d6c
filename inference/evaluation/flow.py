"""Who is in a cohort and who is not, and why (TRIPOD+AI item 20a; the paper, section Data)."""

from dataclasses import dataclass


class DoesNotAddUp(ValueError):
    """Patients in a selection flow were lost or counted twice."""


@dataclass(frozen=True)
class Excluded:
    reason: str
    patients: int


@dataclass(frozen=True)
class Group:
    """The included patients of one part of a split, or all of them: `name` is train, selection, test, ..."""

    name: str
    positive: int  # patients
    negative: int


@dataclass(frozen=True)
class Flow:
    screened: int  # patients
    excluded: tuple[Excluded, ...]  # in the order in which the rules are asked; each patient once
    included: tuple[Group, ...]

    def __post_init__(self) -> None:
        left = sum(e.patients for e in self.excluded)
        kept = sum(g.positive + g.negative for g in self.included)
        if self.screened != left + kept:
            raise DoesNotAddUp(f"{self.screened} patients screened, {left} excluded and {kept} included")
