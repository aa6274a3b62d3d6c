"""`--subgroup KEY=VALUE`: a condition that a patient fulfils or not; who is not known to fulfil it does not."""

import math
from dataclasses import dataclass

from inference.evaluation.subject import Subject

WORDS = ("sex", "lobe", "site", "scanner", "kernel", "month", "confirmed_by", "hard")
_OF = {"sex": {"f", "m", "o"}, "hard": {"yes", "no"}}
NUMBERS = ("age_years", "size_mm", "slice_thickness_mm", "lung_volume_ml")


class BadSubgroup(ValueError):
    """No condition on a patient."""


@dataclass(frozen=True)
class Words:
    """Equal, whatever the case of the letters; `hard` is yes or no."""

    key: str
    value: str

    def __call__(self, subject: Subject) -> bool:
        held = getattr(subject, self.key)
        if isinstance(held, bool):
            held = "yes" if held else "no"
        return held is not None and str(held).casefold() == self.value.casefold()

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


@dataclass(frozen=True)
class Range:
    """From `low` up and below `high`; None: without end."""

    key: str
    low: float | None
    high: float | None

    def __call__(self, subject: Subject) -> bool:
        held: float | None = getattr(subject, self.key)
        above = held is not None and (self.low is None or held >= self.low)
        return above and held is not None and (self.high is None or held < self.high)

    def __str__(self) -> str:
        return f"{self.key}={_end(self.low)}..{_end(self.high)}"


Condition = Words | Range


def condition(text: str) -> Condition:
    """Such as `sex=F`, `size_mm=..30`, `age_years=40..65`."""
    key, found, value = text.partition("=")
    if key in WORDS and value.strip() and value.strip().lower() in _OF.get(key, {value.strip().lower()}):
        return Words(key, value.strip())
    low, dots, high = value.partition("..")
    try:
        if key in NUMBERS and dots and (low or high):
            return Range(key, _number(low), _number(high))
    except ValueError:
        pass
    given = f"{key}={value}" if found else text
    raise BadSubgroup(
        f"--subgroup {given}: expected {', '.join(WORDS)} = a word (sex F, M or O, hard yes or no), or"
        f" {', '.join(NUMBERS)} = LOW..HIGH"
    )


def _number(text: str) -> float | None:
    if not text:
        return None
    if not math.isfinite(number := float(text)):
        raise ValueError("no number")
    return number


def _end(number: float | None) -> str:
    return "" if number is None else f"{number:g}"
