"""Which failures deserve another try, and when: decisions as values."""

from datetime import timedelta

from config.settings import Delivery

LIMITS: dict[type[Exception], int] = {MemoryError: 3, OSError: 8}
"""Attempts at an analysis by what went wrong; the first match counts."""

OTHERWISE = 2


def retry_after(error: type[Exception], attempts: int) -> timedelta | None:
    """How long an analysis waits for its next attempt, or None to give up."""
    limit = next((n for kind, n in LIMITS.items() if issubclass(error, kind)), OTHERWISE)
    return timedelta(seconds=10) * 2 ** (attempts - 1) if attempts < limit else None


def resend_after(rules: Delivery, attempts: int) -> timedelta:
    """How long a delivery waits for its next attempt; there is no last one."""
    doublings = min(attempts, 30)
    return timedelta(seconds=min(rules.first_retry_s * 2**doublings, rules.longest_retry_s))
