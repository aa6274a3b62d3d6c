from dataclasses import replace

import numpy as np
import pytest

from dicom_out.render import OUTLINE
from dicom_out.views import View, drawn, views
from inference.findings import ScoredSlice
from tests.analyses import analysis_of, ct_header, ct_headers


def _scored(rows: int = 512, columns: int = 512) -> ScoredSlice:
    return analysis_of(ct_headers(3, rows=rows, columns=columns), scored=slice(0, 1)).slices[0]


def _views(scored: ScoredSlice, **header: object) -> tuple[View, ...]:
    source = ct_header(0, rows=scored.hu.shape[0], columns=scored.hu.shape[1])
    for keyword, value in header.items():
        setattr(source, keyword, value)
    return tuple(views(scored, source, title="image 1", evidence="evidence"))


def test_a_slice_is_shown_whole_then_the_target_then_the_heat_on_it() -> None:
    assert [view.caption for view in _views(_scored())] == ["image 1", "target, view of 80 mm", "evidence"]


def test_without_a_score_there_is_no_heat() -> None:
    shown = _views(replace(_scored(), heat=None))
    assert [view.caption for view in shown] == ["image 1", "target, view of 80 mm"]


def test_a_target_without_extent_is_not_cut_out() -> None:
    scored = _scored()
    whole, heat = _views(replace(scored, lesion=np.zeros_like(scored.lesion)))
    assert whole.field == heat.field
    assert not (drawn(whole, 100) == OUTLINE).all(axis=-1).any()


@pytest.mark.parametrize(("rows", "columns"), [(512, 512), (64, 64), (512, 300), (300, 512)])
def test_a_view_is_square_in_the_patient_and_holds_the_target(rows: int, columns: int) -> None:
    scored = _scored(rows, columns)
    spacing = ct_header(0, rows=rows, columns=columns).PixelSpacing
    _, target, _ = _views(scored)
    box = target.field
    height_mm, width_mm = (box.bottom - box.top) * spacing[0], (box.right - box.left) * spacing[1]
    assert height_mm == pytest.approx(width_mm, abs=max(spacing))
    y, x = np.nonzero(scored.lesion)
    assert box.left <= x.min() <= x.max() < box.right
    assert box.top <= y.min() <= y.max() < box.bottom


def test_a_large_target_keeps_a_margin() -> None:
    scored = _scored()
    large = np.zeros_like(scored.lesion)
    large[100:400, 200:300] = True
    target = _views(replace(scored, lesion=large))[1]
    assert target.field.bottom - target.field.top == 600


@pytest.mark.parametrize("side_px", [40, 200, 304])
def test_a_view_is_drawn_at_the_size_asked_for_with_its_line(side_px: int) -> None:
    for view in _views(_scored()):
        pixels = drawn(view, side_px)
        assert pixels.shape == (side_px, side_px, 3)
        assert (pixels == OUTLINE).all(axis=-1).any()


def test_a_target_at_the_edge_is_shown_on_black() -> None:
    scored = _scored()
    corner = np.zeros_like(scored.lesion)
    corner[:10, :10] = True
    target = _views(replace(scored, lesion=corner))[1]
    assert target.field.left < 0
    assert (drawn(target, 200)[:60, :60] == 0).all()


@pytest.mark.parametrize(
    ("cosines", "sides"),
    [([1, 0, 0, 0, 1, 0], ("R", "L")), ([-1, 0, 0, 0, -1, 0], ("L", "R")), ([1, 0, 0, 0, 0, -1], ("R", "L"))],
)
def test_left_and_right_are_those_of_the_slice(cosines: list[int], sides: tuple[str, str]) -> None:
    assert {view.sides for view in _views(_scored(), ImageOrientationPatient=cosines)} == {sides}
