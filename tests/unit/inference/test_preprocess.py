from dataclasses import replace

import numpy as np
import pytest

from inference.bundle import Preprocessing
from inference.phantom import as_volume
from inference.preprocess import Slab, frame, network_input, slabs
from tests.phantom import small_chest

NUMBERS = Preprocessing(pixel_mm=1.4, size=256)


@pytest.mark.parametrize(
    ("spacing_mm", "count", "lengths"),
    [(5.0, 60, [1] * 60), (8.0, 3, [1, 1, 1]), (1.25, 10, [4, 6]), (2.5, 6, [2, 2, 2]), (1.0, 3, [3])],
)
def test_thin_slices_are_averaged_to_the_models_thickness(
    spacing_mm: float, count: int, lengths: list[int]
) -> None:
    volume = as_volume(small_chest())
    thin = replace(volume, hu=volume.hu[:count], spacing_mm=(spacing_mm, 2.8, 2.8))
    found = slabs(thin, 5.0)
    assert [len(slab.slices) for slab in found] == lengths
    assert [k for slab in found for k in slab.slices] == list(range(count))


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, -1, 0), (1, 0, 0, 0, -1, 0)])
@pytest.mark.parametrize("pixel_mm", [0.5, 0.7, 1.4, 2.8])
@pytest.mark.parametrize("spot", [(60, 40), (75, 90), (64, 64)])
def test_a_spot_comes_back_where_it_was(
    spot: tuple[int, int], pixel_mm: float, orientation: tuple[float, ...]
) -> None:
    phantom = small_chest()
    a, b, c, d, e, f = orientation
    volume = replace(as_volume(phantom), orientation=(a, b, c, d, e, f))
    place = frame(volume, phantom.lungs, Preprocessing(pixel_mm=pixel_mm, size=512))
    plane = np.zeros((128, 128), dtype=np.float32)
    plane[spot] = 1.0
    back = place.from_network(place.to_network(plane))
    weight = back / back.sum()
    rows, columns = np.mgrid[:128, :128]
    assert back.argmax() == spot[0] * 128 + spot[1]
    assert ((weight * rows).sum(), (weight * columns).sum()) == pytest.approx(spot, abs=0.05)


def test_the_network_sees_a_prone_patient_face_up() -> None:
    phantom = small_chest()
    volume = as_volume(phantom)
    turned = replace(volume, hu=volume.hu[:, ::-1, ::-1], orientation=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    slab = Slab((30,))
    supine = network_input(volume.hu, phantom.lungs, slab, frame(volume, phantom.lungs, NUMBERS), NUMBERS)
    lungs = phantom.lungs[:, ::-1, ::-1]
    prone = network_input(turned.hu, lungs, slab, frame(turned, lungs, NUMBERS), NUMBERS)
    assert np.allclose(supine, prone, atol=1e-4)


def test_outside_the_lungs_is_black_and_the_window_is_0_to_1() -> None:
    phantom = small_chest()
    volume = as_volume(phantom)
    place = frame(volume, phantom.lungs, NUMBERS)
    image = network_input(volume.hu, phantom.lungs, Slab((30,)), place, NUMBERS)
    outside = place.to_network(phantom.lungs[30].astype(np.float32)) < 0.5
    assert image.shape == (256, 256)
    assert image.dtype == np.float32
    assert (image[outside] == 0).all()
    assert 0 <= image.min() < image.max() <= 1
    lung = np.median(image[~outside])
    assert lung == pytest.approx((-850 + 1350) / 1500, abs=0.05)


def test_a_slab_is_the_mean_of_its_slices() -> None:
    phantom = small_chest()
    volume = as_volume(phantom)
    place = frame(volume, phantom.lungs, NUMBERS)
    flat = np.stack([np.full((128, 128), hu, dtype=np.int16) for hu in (-1000, -800, -600)])
    everywhere = np.ones(flat.shape, dtype=np.bool_)
    image = network_input(flat, everywhere, Slab((0, 1, 2)), place, NUMBERS)
    assert image[128, 128] == pytest.approx((-800 + 1350) / 1500, abs=1e-5)
