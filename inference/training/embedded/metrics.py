"""How alike two masks are."""

from inference.morphology import Mask


def dice(one: Mask, other: Mask) -> float:
    """Of two masks of one shape, at least one of them not empty."""
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))
