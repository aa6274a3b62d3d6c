"""What every lung segmenter promises."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from inference.analyse import Segmenter
from inference.nnunet import embedded_lungs, load_nnunet
from inference.phantom import LesionKind, Phantom, as_volume, chest
from inference.threshold import ThresholdSegmenter
from inference.training.embedded.metrics import dice


@pytest.fixture(scope="module", params=["nnunet", "threshold"])
def segment(request: pytest.FixtureRequest) -> Segmenter:
    return load_nnunet(embedded_lungs(), ["lung"]) if request.param == "nnunet" else ThresholdSegmenter()


@cache
def _chest(seed: int = 3, lesion: LesionKind | None = LesionKind.IPN_LIKE) -> Phantom:
    """Thirty slices of coarse pixels: quick to draw and to segment."""
    return chest(seed=seed, lesion=lesion, pixels=96, pixel_mm=3.7, slice_mm=8.0, coverage_mm=240.0)


def test_the_mask_lies_on_the_grid_of_the_volume(segment: Segmenter) -> None:
    volume = as_volume(_chest())
    lungs = segment(volume)
    assert lungs.shape == volume.hu.shape
    assert lungs.dtype == np.bool_


def test_the_volume_is_left_as_it_was(segment: Segmenter) -> None:
    volume = as_volume(_chest())
    before = volume.hu.copy()
    segment(volume)
    assert np.array_equal(volume.hu, before)


def test_a_mass_is_part_of_the_lung_field(segment: Segmenter) -> None:
    phantom = _chest(6, LesionKind.PIMA_LIKE)
    lungs = segment(as_volume(phantom))
    assert (lungs & phantom.lesion).sum() > 0.9 * phantom.lesion.sum()


@pytest.mark.parametrize("kind", [*LesionKind, None])
def test_the_lungs_of_a_phantom_are_found_with_its_lesion(
    segment: Segmenter, kind: LesionKind | None
) -> None:
    phantom = _chest(2, kind)
    assert dice(segment(as_volume(phantom)), phantom.lungs) > 0.97


def test_thick_slices_of_few_pixels_show_their_lungs(segment: Segmenter) -> None:
    phantom = chest(seed=1, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=8.0)
    assert dice(segment(as_volume(phantom)), phantom.lungs) > 0.95


def test_two_thin_slices_show_their_lungs(segment: Segmenter) -> None:
    phantom = _chest()
    middle = slice(len(phantom.hu) // 2, len(phantom.hu) // 2 + 2)
    thin = replace(as_volume(phantom), hu=phantom.hu[middle], spacing_mm=(0.6, *phantom.spacing_mm[1:]))
    assert dice(segment(thin), phantom.lungs[middle]) > 0.95


def test_no_lung_is_found_where_there_is_no_air(segment: Segmenter) -> None:
    phantom = _chest()
    solid = replace(as_volume(phantom), hu=np.where(phantom.hu < -200, np.int16(40), phantom.hu))
    assert not segment(solid).any()


def test_the_same_volume_gives_the_same_mask(segment: Segmenter) -> None:
    volume = as_volume(_chest())
    assert np.array_equal(segment(volume), segment(volume))


def test_its_identity_is_exact(segment: Segmenter) -> None:
    assert len(bytes.fromhex(segment.identity.digest)) == 32
    assert segment.identity.name
    assert segment.identity.version
