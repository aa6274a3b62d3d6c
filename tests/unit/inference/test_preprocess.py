from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.analyse import Models, Rules, analyse
from inference.annotations import Annotation
from inference.bundle import Preprocessing, demonstration, load_bundle
from inference.classifier import Backend, Classifier, Scores
from inference.findings import SlicePolicy, Target
from inference.morphology import Mask
from inference.phantom import SHARP_KERNEL, LesionKind, as_volume
from inference.preprocess import Slab, frame, network_input, slabs
from inference.targets import Region, Selection
from inference.threshold import ThresholdSegmenter
from inference.training.embedded.cohort import Patient, _case
from inference.volume import CtVolume, load
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


def test_resampling_agrees_with_simpleitk() -> None:
    phantom = small_chest()
    volume = as_volume(phantom)
    place = frame(volume, phantom.lungs, NUMBERS)
    image = network_input(volume.hu, phantom.lungs, Slab((30,)), place, NUMBERS)
    source = sitk.GetImageFromArray(volume.hu[30].astype(np.float32))
    source.SetSpacing((2.8, 2.8))
    grid = sitk.Image(256, 256, sitk.sitkFloat32)
    grid.SetSpacing((1.4, 1.4))
    middles = [_middle(np.asarray(phantom.lungs.any(axis=(0, axis)))) * 2.8 for axis in (1, 2)]
    grid.SetOrigin([middle - 127.5 * 1.4 for middle in middles])
    expected = sitk.GetArrayFromImage(sitk.Resample(source, grid, sitk.Transform(), sitk.sitkLinear, -1024.0))
    inside = image > 0
    assert inside.sum() > 5000
    windowed = np.clip((expected + 1350.0) / 1500.0, 0.0, 1.0)
    assert np.abs(image - windowed)[inside].max() < 1e-3


def _middle(line: NDArray[np.bool_]) -> float:
    filled = np.flatnonzero(line)
    return float(filled[0] + filled[-1]) / 2


@pytest.mark.parametrize("pixel_mm", [0.5, 0.7])
def test_a_square_of_the_source_is_a_square_for_the_network(pixel_mm: float) -> None:
    volume = replace(as_volume(small_chest()), spacing_mm=(5.0, 2.8, 1.4))  # pixels twice as high as wide
    place = frame(volume, small_chest().lungs, Preprocessing(pixel_mm=pixel_mm, size=512))
    plane = np.zeros((128, 128), dtype=np.float32)
    plane[60:70, 50:70] = 1.0  # 28 mm by 28 mm
    rows, columns = np.nonzero(place.to_network(plane) > 0.5)
    for found in (rows, columns):
        assert (np.ptp(found) + 1) * pixel_mm == pytest.approx(28.0, abs=2 * pixel_mm)


class Recording(Classifier):
    """Keeps what it was given to score."""

    images: NDArray[np.float32]

    def __call__(self, images: NDArray[np.float32]) -> Scores:
        self.images = images
        return super().__call__(images)


@pytest.mark.realdata
def test_training_and_service_see_the_same_bytes_of_real_slices(real_data: Path) -> None:
    volume = load(sorted((real_data / "chest" / "lung_dx_A0002" / "B70f").iterdir()))
    lungs, shown = ThresholdSegmenter()(volume), (13, 14, 15, 16, 17)
    extent = np.ones((5, 60, 60), dtype=np.bool_)

    def select(_volume: CtVolume, _lungs: Mask, _annotations: Sequence[Annotation]) -> Selection:
        region = Region(Target((0.0, 0.0, 0.0), 39.0), shown, (13, 260, 160), extent)
        return Selection(SlicePolicy.AUTOMATIC, (region,))

    classify = Recording(load_bundle(demonstration()), backend=Backend.EAGER)
    analyse(volume, (), Models(ThresholdSegmenter(), (select,), classify, Rules()))
    lesion = np.zeros(volume.hu.shape, dtype=np.bool_)
    lesion[13:18, 260:320, 160:220] = True
    case = _case(
        Patient(1, LesionKind.PIMA_LIKE, 39.0, slice_mm=8.0, noise_hu=30.0, kernel=SHARP_KERNEL),
        replace(small_chest(), lesion=lesion),
        volume,
        lungs,
        classify.bundle.preprocessing,
        most=5,
    )
    seen, mirrored = np.split(classify.images, 2)
    assert seen.shape == (5, 256, 256)
    assert case.images.tobytes() == seen.astype(np.float16).tobytes()
    assert np.array_equal(mirrored, seen[:, :, ::-1])
