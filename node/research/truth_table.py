"""The table of `sedas-node truth import`: CSV with a header row, one row per study; every mistake is found at once."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from db.truths import Statement

FIRST_ROW = 2  # as a spreadsheet counts: the header is row 1


class BadTruthTable(ValueError):
    """A table that is not taken in; the message names rows and columns, and quotes no cell."""


def _is_a_date(text: str) -> str:
    date.fromisoformat(text)
    return text


class _Row(BaseModel):
    """The cells of one row that are not empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # PS3.5 9.1
    study_instance_uid: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)+$", max_length=64)]
    label: Literal["PIMA", "IPN"]
    confirmed_by: Literal["histology", "follow_up", "microbiology", "other", "not stated"] = "not stated"
    confirmed_on: (
        Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_is_a_date)] | None
    ) = None
    size_mm: Annotated[float, Field(gt=0, lt=500, allow_inf_nan=False)] | None = None
    lobe: Literal["LUL", "LLL", "RUL", "RML", "RLL"] | None = None
    hard: Literal["yes", "no"] | None = None

    @property
    def statement(self) -> Statement:
        hard = None if self.hard is None else self.hard == "yes"
        return Statement(**{**self.model_dump(), "hard": hard})


@dataclass(frozen=True)
class TruthTable:
    statements: Mapping[int, Statement]  # by row
    mistakes: tuple[str, ...]


def read_truth_table(file: Path) -> TruthTable:
    """Raises BadTruthTable for what is no such table at all; mistakes in rows are in what is returned."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            columns = [name.strip() for name in next(reader, [])]
            _check_columns(columns)
            cells = {number: row for number, row in enumerate(reader, FIRST_ROW) if any(map(str.strip, row))}
    except UnicodeDecodeError as error:
        raise BadTruthTable(f"the table is not in UTF-8, at byte {error.start}") from None
    except csv.Error as error:
        raise BadTruthTable(f"the table is no CSV: {error}") from None
    return _read_rows(columns, cells)


def _check_columns(columns: list[str]) -> None:
    known, needed = list(_Row.model_fields), ("study_instance_uid", "label")
    twice = {name for name in columns if columns.count(name) > 1}
    unknown = [number for number, name in enumerate(columns, 1) if name not in known]
    if unknown or twice or not set(needed) <= set(columns):
        raise BadTruthTable(
            f"row 1 is to name columns, separated by commas: {', '.join(needed)}, and of "
            f"{', '.join(name for name in known if name not in needed)} those that are known; "
            f"column {', '.join(map(str, unknown)) or 'none'} is another, {len(twice)} stand there twice"
        )


def _read_rows(columns: list[str], cells: Mapping[int, list[str]]) -> TruthTable:
    statements: dict[int, Statement] = {}
    mistakes: list[str] = []
    first: dict[str, int] = {}
    for number, row in cells.items():
        try:
            statement = _statement(columns, row)
        except BadTruthTable as mistake:
            mistakes.append(f"row {number}: {mistake}")
            continue
        earlier = first.setdefault(statement.study_instance_uid, number)
        if earlier != number:
            mistakes.append(f"row {number}: the study of row {earlier} again")
        statements[number] = statement
    return TruthTable(statements, tuple(mistakes))


def _statement(columns: list[str], row: list[str]) -> Statement:
    if len(row) != len(columns):
        raise BadTruthTable(f"{len(row)} cells under {len(columns)} columns")
    given = {column: cell.strip() for column, cell in zip(columns, row, strict=True) if cell.strip()}
    try:
        return _Row.model_validate(given).statement
    except ValidationError as error:
        raise BadTruthTable("; ".join(_in_words(error))) from None


def _in_words(error: ValidationError) -> Iterator[str]:
    for mistake in error.errors(include_input=False, include_context=False):
        column = mistake["loc"][0]
        yield f"{column}: {mistake['msg'][0].lower()}{mistake['msg'][1:]}"
