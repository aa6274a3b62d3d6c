import numpy as np
import pytest

from inference.coarse import coarse
from inference.morphology import (
    Mask,
    closed,
    components,
    dilated,
    distance_mm,
    eroded,
    filled_by_slice,
    hull_by_slice,
    opened,
    regions,
)

SPACING = (5.0, 1.0, 1.0)


def block(*corners: tuple[slice, slice, slice]) -> Mask:
    mask = np.zeros((9, 40, 40), dtype=np.bool_)
    for corner in corners:
        mask[corner] = True
    return mask


CUBE = block(np.s_[3:6, 10:30, 10:30])


def test_a_radius_is_in_mm_whatever_the_spacing() -> None:
    grown = dilated(CUBE, 5.0, SPACING)
    assert [int(np.ptp(axis)) + 1 for axis in np.nonzero(grown)] == [5, 30, 30]


def test_opening_takes_the_thin_and_leaves_the_thick() -> None:
    vessel = block(np.s_[4:5, 20:22, 30:39])
    assert not (opened(CUBE | vessel, 3.0, SPACING) & vessel)[:, :, 32:].any()
    assert opened(CUBE | vessel, 3.0, SPACING)[4, 20, 20]


def test_closing_fills_a_gap_and_not_more() -> None:
    filled = closed(CUBE & ~block(np.s_[:, 18:20, :]), 3.0, SPACING)
    assert filled[4, 18:20, 12:28].all()
    assert not (filled & ~CUBE).any()


def test_erosion_spares_what_the_volume_cuts_off() -> None:
    assert eroded(block(np.s_[:, 10:30, 10:30]), 3.0, SPACING)[0, 20, 20]


def test_nothing_is_far_from_everything() -> None:
    assert distance_mm(block(), SPACING).min() > 1000


def test_components_come_by_falling_size() -> None:
    labels = components(CUBE | block(np.s_[0:1, 0:2, 0:2]))
    assert (labels == 1).sum() == CUBE.sum()
    assert (labels == 2).sum() == 4


def test_regions_of_a_slice_are_its_parts() -> None:
    plane = (CUBE | block(np.s_[4:5, 0:2, 0:2]))[4]
    assert [len(rows) for rows, _ in regions(plane)] == [400, 4]
    assert regions(np.zeros((4, 4), dtype=np.bool_)) == []


def test_holes_and_hulls_are_filled_slice_by_slice() -> None:
    ring = CUBE & ~block(np.s_[:, 15:20, 15:20])
    assert np.array_equal(filled_by_slice(ring), CUBE)
    corners = block(np.s_[4:5, 10:11, 10:30], np.s_[4:5, 10:30, 10:11], np.s_[4:5, 29:30, 29:30])
    assert np.array_equal(hull_by_slice(corners)[4], CUBE[4])


@pytest.mark.parametrize("spacing", [(5.0, 0.7, 0.7), (1.0, 0.6, 0.6), (4.0, 4.0, 4.0)])
def test_a_mask_survives_going_coarse_and_back(spacing: tuple[float, float, float]) -> None:
    hu = np.zeros((30, 120, 120), dtype=np.int16)
    mask = np.zeros(hu.shape, dtype=np.bool_)
    mask[6:24, 36:96, 48:84] = True
    image = coarse(hu, spacing)
    back = image.refined(image.coarsened(mask))
    assert back.shape == mask.shape
    assert 2 * (back & mask).sum() / (back.sum() + mask.sum()) > 0.97
