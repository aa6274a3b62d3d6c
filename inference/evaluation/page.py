"""A report as one HTML page that needs nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from inference.evaluation.section import Figure, Section

_NUMERIC = re.compile(r"[-+<]? ?\d|n/c |$")
_WIDE_PT = 320.0  # of a figure that takes a whole row


@dataclass(frozen=True)
class KeyFigure:
    name: str
    value: str
    interval: str


@dataclass(frozen=True)
class Head:
    """What stands above everything else: what must be known first, and the figures most asked for."""

    title: str
    about: str
    cautions: tuple[str, ...]
    key_figures: tuple[KeyFigure, ...]


@dataclass(frozen=True)
class Part:
    title: str
    sections: tuple[Section, ...]


def html(head: Head, parts: Sequence[Part]) -> str:
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(anchor=anchor, aligned=_aligned, wide=_wide)
    return environment.get_template("report.html").render(head=head, parts=parts)


def anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def _aligned(rows: Sequence[Sequence[str]], column: int) -> str:
    """The class of a column: one of numbers is aligned at the right."""
    cells = [row[column] for row in rows]
    return "number" if column and any(cells) and all(map(_NUMERIC.match, cells)) else "text"


def _wide(figure: Figure) -> bool:
    width = re.search(r'<svg[^>]*? width="([\d.]+)', figure.svg)
    return width is None or float(width[1]) > _WIDE_PT
