"""What a statistic comes to: a value with its 95 % interval, or in words why there is none."""

from dataclasses import dataclass
from typing import TypeVar

LEVEL = 0.95
Z = 1.959963984540054  # of the normal distribution, 97.5 %


@dataclass(frozen=True)
class Estimate:
    value: float
    low: float  # of the 95 % interval
    high: float


@dataclass(frozen=True)
class NotComputable:
    """Stands where a number cannot, so that a report prints the reason and never 0 or NaN."""

    reason: str


Figure = Estimate | NotComputable
Number = float | NotComputable

_T = TypeVar("_T")


class NoFigure(ValueError):
    """A statistic that the caller cannot do without is not computable."""


def computed(result: _T | NotComputable) -> _T:
    """The statistic itself, for a caller that cannot go on without it."""
    if isinstance(result, NotComputable):
        raise NoFigure(result.reason)
    return result


def symmetric(value: float, error: float) -> Estimate:
    """The value and its standard error as an interval of the normal distribution."""
    return Estimate(value, value - Z * error, value + Z * error)
