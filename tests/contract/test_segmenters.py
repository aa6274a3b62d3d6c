"""What every lung segmenter promises."""

import numpy as np
import pytest

from inference.analyse import Segmenter
from inference.phantom import LesionKind, as_volume
from inference.threshold import ThresholdSegmenter
from tests.phantom import small_chest


@pytest.fixture(params=[ThresholdSegmenter])
def segment(request: pytest.FixtureRequest) -> Segmenter:
    made: Segmenter = request.param()
    return made


def test_the_mask_lies_on_the_grid_of_the_volume(segment: Segmenter) -> None:
    volume = as_volume(small_chest())
    lungs = segment(volume)
    assert lungs.shape == volume.hu.shape
    assert lungs.dtype == np.bool_


def test_the_volume_is_left_as_it_was(segment: Segmenter) -> None:
    volume = as_volume(small_chest())
    before = volume.hu.copy()
    segment(volume)
    assert np.array_equal(volume.hu, before)


def test_a_mass_is_part_of_the_lung_field(segment: Segmenter) -> None:
    phantom = small_chest(6, LesionKind.PIMA_LIKE)
    lungs = segment(as_volume(phantom))
    assert (lungs & phantom.lesion).sum() > 0.9 * phantom.lesion.sum()


def test_the_same_volume_gives_the_same_mask(segment: Segmenter) -> None:
    volume = as_volume(small_chest())
    assert np.array_equal(segment(volume), segment(volume))


def test_its_identity_is_exact(segment: Segmenter) -> None:
    assert len(bytes.fromhex(segment.identity.digest)) == 32
    assert segment.identity.name
    assert segment.identity.version
