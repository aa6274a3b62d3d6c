import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from dicom_out.contour import Corner, contours


def _mask(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


def _area(line: list[Corner]) -> float:
    """By Gauss; negative around a hole."""
    x, y = np.array(line, dtype=float).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


@pytest.mark.parametrize(
    ("mask", "lines"),
    [
        (_mask("..", ".."), []),
        (_mask("#"), [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]]),
        (_mask("....", ".##.", "...."), [[(1, 1), (3, 1), (3, 2), (1, 2), (1, 1)]]),
        (_mask("#.", "##"), [[(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (0, 2), (0, 0)]]),
    ],
)
def test_lines_run_along_the_edges_of_the_pixels(mask: np.ndarray, lines: list[list[Corner]]) -> None:
    assert list(contours(mask)) == lines


def test_a_hole_has_a_line_of_its_own() -> None:
    assert [_area(line) for line in contours(_mask("###", "#.#", "###"))] == [9.0, -1.0]


def test_pixels_that_meet_in_a_corner_are_two_parts() -> None:
    assert [_area(line) for line in contours(_mask("#.", ".#"))] == [1.0, 1.0]


@given(arrays(np.bool_, (7, 9)))
def test_the_lines_enclose_exactly_the_extent(mask: np.ndarray) -> None:
    lines = list(contours(mask))
    assert all(line[0] == line[-1] and len(set(line)) >= 4 for line in lines)
    assert sum(map(_area, lines)) == mask.sum()
    inside = Image.new("1", (90, 70))
    for line in lines:  # even and odd
        one = Image.new("1", (90, 70))
        ImageDraw.Draw(one).polygon([(10 * x, 10 * y) for x, y in line], fill=1)
        inside = Image.fromarray(np.asarray(inside) ^ np.asarray(one))
    assert (np.asarray(inside)[5::10, 5::10] == mask).all()


@given(st.integers(1, 6), st.integers(1, 6))
def test_a_rectangle_has_four_corners(rows: int, columns: int) -> None:
    (line,) = contours(np.ones((rows, columns), dtype=np.bool_))
    assert line == [(0, 0), (columns, 0), (columns, rows), (0, rows), (0, 0)]
