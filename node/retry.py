"""Which failures deserve another try, and when: decisions as values."""

from datetime import timedelta
from secrets import SystemRandom

from config.settings import Delivery
from inference.executor import ChildDied

LIMITS: dict[type[Exception], int] = {MemoryError: 3, ChildDied: 5, OSError: 8}
"""Attempts at an analysis by what went wrong; the first match counts."""

OTHERWISE = 2
_FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = _FIRST_RETRY * 2 ** (max(LIMITS.values()) - 2)


def retry_after(error: type[Exception], attempts: int) -> timedelta | None:
    """How long an analysis waits for its next attempt, or None to give up."""
    limit = next((n for kind, n in LIMITS.items() if issubclass(error, kind)), OTHERWISE)
    return _FIRST_RETRY * 2 ** (attempts - 1) if attempts < limit else None


def resend_after(rules: Delivery, attempts: int, *, chance: float | None = None) -> timedelta:
    """How long a destination is left alone after so many attempts, of which none is the last.

    The wait doubles, and is cut by up to a half as `chance` (0 to 1) has it, so that what failed together does not
    come back together.
    """
    drawn = SystemRandom().random() if chance is None else chance
    longest = min(rules.first_retry_s * 2 ** min(attempts - 1, 30), rules.longest_retry_s)
    return timedelta(seconds=longest * (1 - drawn / 2))
