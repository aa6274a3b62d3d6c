"""A share of patients with its interval."""

from scipy.stats import binomtest

from inference.evaluation.estimate import LEVEL, Estimate, Figure, NotComputable


def wilson(hits: int, total: int, of: str = "patients") -> Figure:
    """The score interval without continuity correction (Wilson 1927); `of` names the total where it is nobody."""
    if total == 0:
        return NotComputable(f"no {of}")
    interval = binomtest(hits, total).proportion_ci(LEVEL, method="wilson")
    return Estimate(hits / total, float(interval.low), float(interval.high))
