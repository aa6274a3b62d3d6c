import numpy as np
import pytest
import SimpleITK as sitk

from inference.coarse import coarse
from inference.phantom import as_volume, chest

THIN = chest(seed=1, lesion=None, pixels=96, pixel_mm=1.0, slice_mm=3.0, coverage_mm=270.0)


@pytest.mark.parametrize("spacing_mm", [(3.0, 1.0, 1.0), (1.0, 0.7, 0.7), (0.6, 0.5, 0.5)])
def test_slab_by_slab_gives_what_the_whole_volume_gives(spacing_mm: tuple[float, float, float]) -> None:
    hu = THIN.hu
    image = coarse(hu, spacing_mm)
    whole = sitk.BinShrink(sitk.GetImageFromArray(hu.astype(np.float32)), image.block[::-1])
    assert np.array_equal(image.hu, sitk.GetArrayFromImage(whole))


def test_a_mask_comes_back_with_its_surface_within_a_block() -> None:
    volume = as_volume(THIN)
    image = coarse(volume.hu, volume.spacing_mm)
    back = image.refined(image.coarsened(THIN.lungs))
    assert back.shape == THIN.lungs.shape
    assert 2 * (back & THIN.lungs).sum() / (back.sum() + THIN.lungs.sum()) > 0.97


def test_the_box_of_a_mask_is_the_same_part_of_the_whole() -> None:
    image = coarse(THIN.hu, (0.6, 0.5, 0.5))
    mask = np.zeros(image.hu.shape, dtype=np.bool_)
    mask[3:6, 2:9, 4:7] = True
    corner, box = image.refined_box(mask)
    whole = image.refined(mask)
    z, y, x = (slice(first, first + n) for first, n in zip(corner, box.shape, strict=True))
    assert np.array_equal(whole[z, y, x], box)
    assert whole.sum() == box.sum()
