"""Rows of a CSV file as spreadsheets write it; every mistake is named by row and column, and no cell of a patient is quoted."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

DELIMITERS = ",;\t"


class BadTable(ValueError):
    """A table that cannot be used; the message lists every mistake."""


class Numbered(Protocol):
    """A frozen dataclass whose other fields are the columns; those without a default are required."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def number(self) -> int:
        """Of the row as a spreadsheet shows it: the header is row 1."""


_Row = TypeVar("_Row", bound=Numbered)


@dataclass(frozen=True)
class _Record:
    number: int
    cells: dict[str, str]  # by column, without the empty ones


def read(path: Path, kind: type[_Row], what: str, *, once: Sequence[str] = ()) -> tuple[_Row, ...]:
    """UTF-8 with or without a byte order mark; no value of a column in `once` may come twice. `what` names the table in a complaint."""
    adapter = TypeAdapter(kind)
    (_, header), *lines = _lines(path, what)
    columns = _columns(header)
    records = [_Record(number, _cells(columns, line)) for number, line in lines]
    mistakes = [
        *_of_header(columns, kind),
        *(mistake for column in once for mistake in _doubled(records, column)),
        *(_too_long(number, line, columns) for number, line in lines if any(line[len(columns) :])),
    ]
    rows: list[_Row] = []
    for record in records:
        try:
            rows.append(adapter.validate_python({"number": record.number, **record.cells}))
        except ValidationError as error:
            mistakes += _of_row(record.number, error, columns)
    if not records:
        mistakes.append("no row after the header")
    if mistakes:
        raise BadTable(f"mistakes in {what}:\n  " + "\n  ".join(mistakes))
    return tuple(rows)


def _lines(path: Path, what: str) -> list[tuple[int, list[str]]]:
    """Those that are not blank, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadTable(f"{what} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadTable(f"{what} is not UTF-8: save it as CSV UTF-8") from None
    found = [(number, line) for number, line in enumerate(_split(text, what), 1) if any(line)]
    if not found:
        raise BadTable(f"{what} is empty, expected a header row")
    return found


def _split(text: str, what: str) -> Iterator[list[str]]:
    header = next((line for line in text.split("\n") if line.strip(DELIMITERS + " ")), text)
    reader = csv.reader(StringIO(text), delimiter=max(DELIMITERS, key=header.count), strict=True)
    try:
        for line in reader:
            yield [cell.strip() for cell in line]
    except csv.Error as error:
        raise BadTable(f"{what} is no CSV at line {reader.line_num}: {error}") from error


def _columns(header: Sequence[str]) -> list[str]:
    columns = [cell.lower() for cell in header]
    while not columns[-1]:
        columns.pop()
    return columns


def _cells(columns: Sequence[str], line: Sequence[str]) -> dict[str, str]:
    return {column: cell for column, cell in zip(columns, line, strict=False) if cell}


def _of_header(columns: Sequence[str], kind: type[Numbered]) -> Iterator[str]:
    """A first row that holds none of the columns asked for is a patient's: nothing of it is quoted."""
    known = {f.name: f.default is MISSING for f in fields(kind) if f.name != "number"}
    is_header = any(known.get(column) for column in columns)
    for column, required in known.items():
        if required and column not in columns:
            yield f"row 1: column {column} is missing"
        elif columns.count(column) > 1:
            yield f"row 1: column {column} is there {columns.count(column)} times"
    for place, column in enumerate(columns, 1):
        if column not in known:
            named = f" ({column})" if is_header else ""
            yield f"row 1: column {place}{named} is unknown, expected of {', '.join(known)}"


def _doubled(records: Iterable[_Record], column: str) -> Iterator[str]:
    rows = defaultdict[str, list[int]](list)
    for record in records:
        if value := record.cells.get(column):
            rows[value].append(record.number)
    for numbers in rows.values():
        if len(numbers) > 1:
            yield f"rows {', '.join(map(str, numbers))}: the same {column}"


def _too_long(number: int, line: Sequence[str], columns: Sequence[str]) -> str:
    return f"row {number}: {len(line)} cells under {len(columns)} columns"


def _of_row(number: int, error: ValidationError, columns: Sequence[str]) -> Iterator[str]:
    """What the header lacks is not said again for every row."""
    for each in error.errors(include_input=False, include_url=False):
        column = " ".join(map(str, each["loc"]))
        if each["type"] != "missing":
            yield f"row {number}, {column or 'as a whole'}: {each['msg'].removeprefix('Value error, ')}"
        elif column in columns:
            yield f"row {number}, {column}: is empty"
