from itertools import combinations

import numpy as np
import pytest

from dicom_out.lettering import Caption, Placed, layout, lettered
from tests.analyses import DEMONSTRATION, plane

CAPTION = Caption(
    heading="AI RESEARCH",
    score="PIMA 100.00 %",
    result=(
        "PIMA probability 100.00 %",
        "image 100: 100.00 %",
        "evidence for PIMA",
        "cyan: unconfirmed target",
    ),
    warning=("RESEARCH USE ONLY", "NOT FOR DIAGNOSIS"),
    model=(DEMONSTRATION,),
    legend=True,
)
SIZES = [(64, 64), (128, 128), (256, 256), (512, 512), (768, 768), (1024, 1024), (512, 300), (300, 512)]


def _lines(placed: tuple[Placed, ...]) -> list[str]:
    return [line for p in placed for line in p.block.lines]


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_all_letters_are_inside_the_picture_and_apart(rows: int, columns: int) -> None:
    placed = layout(CAPTION, plane(rows, columns).lungs)
    for p in placed:
        assert 0 <= p.box.left < p.box.right <= columns
        assert 0 <= p.box.top < p.box.bottom <= rows
    assert not any(a.box.meets(b.box) for a, b in combinations(placed, 2))


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_the_legend_hides_no_lung(rows: int, columns: int) -> None:
    lungs = plane(rows, columns).lungs
    for p in layout(CAPTION, lungs):
        if p.block.bar:
            assert not lungs[p.box.top : p.box.bottom, p.box.left : p.box.right].any()


def test_an_ordinary_slice_carries_everything_in_large_letters_beside_the_lungs() -> None:
    lungs = plane(512, 512).lungs
    placed = layout(CAPTION, lungs)
    assert {p.size_px for p in placed} == {16}
    assert [p.block.bar for p in placed] == [False, False, True]
    assert set(CAPTION.result) | set(CAPTION.warning) <= set(_lines(placed))
    assert " ".join(_lines(placed)).count("clinical meaning") == 1
    assert not any(lungs[p.box.top : p.box.bottom, p.box.left : p.box.right].any() for p in placed)


def test_a_small_slice_keeps_the_heading_and_the_score() -> None:
    assert _lines(layout(CAPTION, plane(64, 64).lungs)) == ["AI RESEARCH", "PIMA 100.00 %"]


def test_a_low_resolution_slice_keeps_the_warning() -> None:
    assert _lines(layout(CAPTION, plane(128, 128).lungs))[-2:] == list(CAPTION.warning)


def test_where_lungs_are_everywhere_all_but_the_legend_stands_over_them_in_small_letters() -> None:
    placed = layout(CAPTION, np.ones((512, 512), dtype=np.bool_))
    assert {p.size_px for p in placed} == {9}
    assert set(CAPTION.result) | set(CAPTION.warning) <= set(_lines(placed))
    assert not any(p.block.bar for p in placed)


def test_of_the_tiniest_slice_only_the_heading_remains() -> None:
    assert _lines(layout(CAPTION, np.ones((40, 64), dtype=np.bool_))) == ["AI RESEARCH"]


def test_the_legend_goes_before_the_statements() -> None:
    lungs = np.ones((512, 512), dtype=np.bool_)
    lungs[:120, :230] = False
    lungs[-90:, :230] = False
    placed = layout(CAPTION, lungs)
    assert not any(p.block.bar for p in placed)
    assert "clinical meaning." in _lines(placed)


def test_only_the_placed_boxes_are_drawn_on() -> None:
    rgb = np.full((512, 512, 3), 99, dtype=np.uint8)
    lungs = plane().lungs
    changed = (lettered(rgb, CAPTION, lungs) != rgb).any(axis=-1)
    for p in layout(CAPTION, lungs):
        assert changed[p.box.top : p.box.bottom, p.box.left : p.box.right].any()
        changed[p.box.top : p.box.bottom, p.box.left : p.box.right] = False
    assert not changed.any()
    assert (rgb == 99).all()
