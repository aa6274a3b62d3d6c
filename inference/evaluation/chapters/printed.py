"""Numbers as a report prints them; what cannot be computed stays a value, for its table to explain."""

from inference.evaluation.counts import Counts
from inference.evaluation.discrimination import Bootstrap
from inference.evaluation.estimate import Estimate, Figure, NotComputable

Cell = str | NotComputable

NO_INTERVAL = "(no interval)"
NO_INTERVAL_IN_WORDS = "no interval: all resamples are alike, which says nothing of how few the patients are"


def estimate(figure: Figure, digits: int = 3) -> Cell:
    """The value with its 95 % interval."""
    if isinstance(figure, NotComputable):
        return figure
    return f"{figure.value:.{digits}f} {interval(figure, digits)}"


def interval(figure: Estimate, digits: int = 3) -> str:
    """Resamples are all alike where a score separates the classes."""
    if figure.low == figure.high:
        return NO_INTERVAL
    return f"({figure.low:.{digits}f} to {figure.high:.{digits}f})"


def area(auc: Bootstrap | NotComputable, digits: int = 3) -> Cell:
    return auc if isinstance(auc, NotComputable) else estimate(auc.auc, digits)


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else str(part)


def matrix_in_words(counts: Counts) -> str:
    return (
        f"{counts.true_positive} of {counts.positive} PIMA read PIMA and "
        f"{counts.true_negative} of {counts.negative} IPN read IPN"
    )


def sentence(cell: Cell) -> str:
    return f"not computable ({cell.reason})" if isinstance(cell, NotComputable) else cell
