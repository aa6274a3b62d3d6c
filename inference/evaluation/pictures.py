"""The pictures of a page as files of their own."""

from collections import Counter
from collections.abc import Iterable

from inference.evaluation.files import FIGURES
from inference.evaluation.page import Part, anchor


def pictures(parts: Iterable[Part]) -> dict[str, bytes]:
    """SVG by file name, `figures/SECTION-NUMBER.svg`; sections of one name count on."""
    drawn: Counter[str] = Counter()
    files = {}
    for section in (section for part in parts for section in part.sections):
        name = anchor(section.heading) or "figure"
        for figure in section.figures:
            drawn[name] += 1
            files[f"{FIGURES}/{name}-{drawn[name]}.svg"] = figure.svg.encode()
    return files
