"""The outline of a mask as closed lines along the edges of its pixels."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Corner = tuple[
    int, int
]  # column, row: of pixel (0, 0) the top left one is 0, 0 and the bottom right one 1, 1


def contours(extent: NDArray[np.bool_]) -> Iterator[list[Corner]]:
    """Of each part, and of each hole in it, the corners at which the line turns; the last is the first.

    Pixels that meet in a corner only are two parts.
    """
    edges = _edges(extent)
    while edges:
        start = min(edges)
        yield _followed(edges, start)


def _edges(extent: NDArray[np.bool_]) -> dict[Corner, set[Corner]]:
    """From each corner to the next ones, with the extent on the right hand (in a picture, rows downwards)."""
    padded = np.pad(extent, 1)
    inside = padded[1:-1, 1:-1]
    edges: dict[Corner, set[Corner]] = defaultdict(set)
    for outside, begin, end in (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),  # above, along the top
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    ):
        for row, column in np.argwhere(inside & ~outside).tolist():
            edges[column + begin[0], row + begin[1]].add((column + end[0], row + end[1]))
    return dict(edges)


def _followed(edges: dict[Corner, set[Corner]], start: Corner) -> list[Corner]:
    """One closed line, whose edges are taken out of `edges`."""
    corners = [start]
    here, heading = start, (0, -1)
    while True:
        there = _next(edges[here], here, heading)
        edges[here].discard(there)
        if not edges[here]:
            del edges[here]
        turned = (there[0] - here[0], there[1] - here[1])
        if turned != heading and here != start:
            corners.append(here)
        here, heading = there, turned
        if here == start:
            return [*corners, start]


def _next(ends: set[Corner], here: Corner, heading: Corner) -> Corner:
    """Where two ways are open, the one to the right, which stays at the same pixel."""
    right = (here[0] - heading[1], here[1] + heading[0])
    return right if right in ends else next(iter(ends))
