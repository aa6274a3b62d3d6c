"""What is odd about a case: a wrong join of table and images, a slip of the pen, a mark that could not be used."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from inference.dataset.assembly import Made

_DAYS = 1  # between two dates of one CT: it may run over midnight
_YEARS = 1  # between two ages: the table's may be that of the histology


@dataclass(frozen=True)
class Doubt:
    what: str
    rows: tuple[int, ...]  # of the table

    def __str__(self) -> str:
        """As a card may say it: how many, not who."""
        return f"patients {self.what}: {len(self.rows)}"


def doubts(made: Sequence[Made]) -> Iterator[Doubt]:
    for what, is_odd in _QUESTIONS.items():
        if rows := tuple(one.row.number for one in made if is_odd(one)):
            yield Doubt(what, rows)


def _other_day(one: Made) -> bool:
    said, seen = one.row.acquired, one.acquisition.on
    return said is not None and seen is not None and abs((said - seen).days) > _DAYS


def _other_sex(one: Made) -> bool:
    said, seen = one.row.sex, one.acquisition.sex
    return said is not None and seen is not None and said is not seen


def _other_age(one: Made) -> bool:
    said, seen = one.row.age, one.acquisition.age_years
    return said is not None and seen is not None and abs(said - seen) > _YEARS


_QUESTIONS: dict[str, Callable[[Made], bool]] = {  # what is not known is not odd
    "whose CT is of another day than the table says": _other_day,
    "whose sex is another in the images than in the table": _other_sex,
    "whose age is another in the images than in the table": _other_age,
    "of whose marks some could not be used": lambda one: one.record.refused_marks > 0,
}
