import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.geometry import Orientation, is_axial, order, orientation
from inference.phantom import as_volume
from tests.phantom import small_chest

SUPINE: Orientation = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PRONE: Orientation = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
MIRRORED: Orientation = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@given(heights=st.permutations(range(12)), turned=st.sampled_from([SUPINE, PRONE, MIRRORED]))
def test_any_order_of_the_files_gives_feet_to_head(heights: list[int], turned: Orientation) -> None:
    stack = order(turned, [(1.0, 2.0, 5.0 * h) for h in heights], same_mm=0.01)
    assert [heights[i] for i in stack.kept] == list(range(12))
    assert stack.spacing_mm == pytest.approx(5.0)
    assert stack.tilt_degrees == pytest.approx(0.0, abs=1e-4)


@given(
    heights=st.lists(st.integers(0, 40), min_size=4, max_size=30, unique=True),
    repeats=st.lists(st.integers(0, 3), max_size=5),
)
def test_repeats_and_gaps_are_counted(heights: list[int], repeats: list[int]) -> None:
    given_twice = heights + [heights[r] for r in repeats]
    stack = order(SUPINE, [(0.0, 0.0, float(h)) for h in given_twice], same_mm=0.01)
    assert stack.duplicates == len(repeats)
    assert sum(stack.distances_mm) == pytest.approx(max(heights) - min(heights))
    assert all(i < len(heights) for i in stack.kept)  # the first given is kept


@settings(max_examples=30, deadline=None)  # the first draws the phantom
@given(z=st.floats(0, 59), y=st.floats(0, 127), x=st.floats(0, 127))
def test_a_voxel_lies_where_origin_and_spacing_put_it(z: float, y: float, x: float) -> None:
    volume = as_volume(small_chest())
    origin = np.array(volume.positions_mm[0])
    expected = origin + np.multiply((x, y, z), volume.spacing_mm[::-1])
    assert volume.position_mm(z, y, x) == pytest.approx(tuple(expected), abs=1e-3)


@pytest.mark.parametrize(
    "cosines", [(1, 0, 0, 0, 1), (2, 0, 0, 0, 1, 0), (1, 0, 0, 1, 0, 0), (0, 0, 0, 0, 0, 0)]
)
def test_cosines_that_are_no_axes_are_refused(cosines: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="direction cosines"):
        orientation(cosines)


def test_coronal_and_sagittal_planes_are_not_axial() -> None:
    assert is_axial(SUPINE)
    assert is_axial(PRONE)
    assert not is_axial((1.0, 0.0, 0.0, 0.0, 0.0, -1.0))
    assert not is_axial((0.0, 1.0, 0.0, 0.0, 0.0, -1.0))
