"""Tables in which a cell without a number refers to the reason below."""

from collections.abc import Iterable, Sequence
from string import ascii_lowercase

from inference.evaluation.chapters.printed import NO_INTERVAL, NO_INTERVAL_IN_WORDS, Cell
from inference.evaluation.estimate import NotComputable
from inference.evaluation.section import Table


def table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], notes: Sequence[str] = ()
) -> Table:
    """Each reason stands once, under a letter; `notes` follow."""
    rows = [tuple(row) for row in rows]
    reasons = dict.fromkeys(cell.reason for row in rows for cell in row if isinstance(cell, NotComputable))
    marks = {reason: _mark(place) for place, reason in enumerate(reasons)}
    texts = tuple(tuple(_text(cell, marks) for cell in row) for row in rows)
    flat = (NO_INTERVAL_IN_WORDS,) if any(NO_INTERVAL in text for row in texts for text in row) else ()
    return Table(
        caption=caption,
        columns=tuple(columns),
        rows=texts,
        notes=(*(f"{mark} not computable: {reason}" for reason, mark in marks.items()), *flat, *notes),
    )


def _text(cell: Cell, marks: dict[str, str]) -> str:
    return f"n/c {marks[cell.reason]}" if isinstance(cell, NotComputable) else cell


def _mark(place: int) -> str:
    around, letter = divmod(place, len(ascii_lowercase))
    return f"({ascii_lowercase[letter]}{around or ''})"
