"""The pictures of a page as files of their own."""

from collections.abc import Iterable

from inference.evaluation.page import Part, anchor


def pictures(parts: Iterable[Part]) -> dict[str, bytes]:
    """SVG by file name: `figures/SECTION-NUMBER.svg`."""
    return {
        f"figures/{anchor(section.heading)}-{number}.svg": figure.svg.encode()
        for part in parts
        for section in part.sections
        for number, figure in enumerate(section.figures, start=1)
    }
