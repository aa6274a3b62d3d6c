"""The conformance statement as a file: prose by hand, and between two comments each, tables from the code."""

import re
from collections.abc import Iterable, Mapping, Sequence

from tests.conftest import ROOT

STATEMENT = ROOT / "docs" / "conformance-statement.md"
_PLACE = re.compile(r"(<!-- generated: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


class Unmatched(ValueError):
    """A table that the file has no place for, or a place that no table fills."""


def filled(text: str, tables: Mapping[str, str]) -> str:
    """The text with every table in its place. Raises Unmatched."""
    places = [match["name"] for match in _PLACE.finditer(text)]
    if sorted(places) != sorted(tables):
        raise Unmatched(f"in one only: {sorted(set(places) ^ set(tables))}, in all {len(places)} places")
    return _PLACE.sub(lambda match: f"{match[1]}\n{tables[match['name']]}\n{match[3]}", text)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = (heads, ["---"] * len(heads), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
