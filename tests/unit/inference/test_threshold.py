from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference.phantom import LesionKind, as_volume, chest
from inference.threshold import Rules, ThresholdSegmenter
from inference.volume import load
from tests.phantom import small_chest


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("kind", [*LesionKind, None])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_lungs_of_a_phantom_are_found_with_its_lesion(seed: int, kind: LesionKind | None) -> None:
    phantom = small_chest(seed, kind)
    found = ThresholdSegmenter()(as_volume(phantom))
    assert dice(found, phantom.lungs) > 0.97
    if kind:
        assert (found & phantom.lesion).sum() > 0.9 * phantom.lesion.sum()


def test_thin_slices_give_the_same_lungs() -> None:
    phantom = chest(seed=1, lesion=LesionKind.IPN_LIKE, pixels=96, pixel_mm=3.8, slice_mm=1.25)
    found = ThresholdSegmenter()(as_volume(phantom))
    assert dice(found, phantom.lungs) > 0.97


def test_no_lung_is_found_where_there_is_none() -> None:
    phantom = small_chest()
    volume = as_volume(phantom)
    volume.hu.flags.writeable = True
    body = chest(seed=1, lesion=None, pixels=64, pixel_mm=5.6)
    solid = as_volume(body)
    solid.hu[body.hu < -200] = 40
    assert not ThresholdSegmenter()(solid).any()


def test_the_digest_tells_rules_apart() -> None:
    one, same, other = ThresholdSegmenter(), ThresholdSegmenter(), ThresholdSegmenter(Rules(air_hu=-500))
    assert one.identity == same.identity
    assert one.identity.digest != other.identity.digest


@pytest.mark.realdata
def test_real_lungs_agree_with_their_true_mask(real_data: Path) -> None:
    folder = real_data / "chest" / "cip_thorax64"
    truth = sitk.GetArrayFromImage(sitk.ReadImage(folder / "wholeLung-64.nrrd")) > 0
    found = ThresholdSegmenter()(load(sorted((folder / "dicom").iterdir())))
    assert dice(found, truth) > 0.95
