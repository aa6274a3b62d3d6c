import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dicom_out.render import OUTLINE, as_rgb, coloured, edged, overlaid, windowed

SHAPE = (6, 5)


@given(
    arrays(np.int16, SHAPE),
    arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)),
)
def test_without_heat_the_picture_is_the_windowed_ct(hu: np.ndarray, heat: np.ndarray) -> None:
    grey = windowed(hu)
    cold = heat == 0
    assert (overlaid(grey, heat)[cold] == grey[cold][:, np.newaxis]).all()


def test_the_window_runs_from_black_to_white() -> None:
    assert windowed(np.array([-32768, -1350, -600, 150, 3000], dtype=np.int16)).tolist() == [
        0,
        0,
        128,
        255,
        255,
    ]


def test_red_is_high_and_blue_is_low() -> None:
    low, high = coloured(np.array([0.0, 1.0]))
    assert low.argmax() == 2
    assert high.argmax() == 0


def test_more_heat_is_nearer_to_the_colour() -> None:
    grey = np.full((1, 3), 100, dtype=np.uint8)
    red = overlaid(grey, np.array([[0.8, 0.9, 1.0]], dtype=np.float32))[0, :, 0].astype(int)
    assert red[0] <= red[1] <= red[2]


def test_an_outline_hides_nothing_of_what_it_surrounds() -> None:
    grey = np.full((9, 9), 77, dtype=np.uint8)
    extent = np.zeros((9, 9), dtype=np.bool_)
    extent[3:6, 3:6] = True
    rgb = edged(as_rgb(grey), extent)
    assert (rgb[extent] == 77).all()
    assert (rgb[2, 3:6] == OUTLINE).all()
    assert (rgb == OUTLINE).all(axis=-1).sum() == 12


def test_an_extent_at_the_edge_of_the_slice_is_outlined_inside_of_it() -> None:
    extent = np.zeros((4, 4), dtype=np.bool_)
    extent[0, 0] = True
    assert (edged(as_rgb(np.zeros((4, 4), dtype=np.uint8)), extent) == OUTLINE).all(axis=-1).sum() == 2
