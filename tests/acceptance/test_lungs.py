"""Both segmenters on real CT: the two sets with true masks, and two patients whose lesions are marked."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.analyse import Segmenter
from inference.morphology import Mask
from inference.nnunet import embedded_lungs, load_nnunet
from inference.phantom import as_volume
from inference.threshold import ThresholdSegmenter
from inference.training.embedded.metrics import dice
from inference.volume import CtVolume, load
from tests.phantom import small_chest

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module", params=["nnunet", "threshold"])
def segment(request: pytest.FixtureRequest) -> Segmenter:
    return load_nnunet(embedded_lungs(), ["lung"]) if request.param == "nnunet" else ThresholdSegmenter()


def test_a_whole_thorax_agrees_with_its_true_mask(segment: Segmenter, real_data: Path) -> None:
    folder = real_data / "chest" / "cip_thorax64"
    volume = load(sorted((folder / "dicom").iterdir()))
    assert dice(segment(volume), _true(folder / "wholeLung-64.nrrd")) >= 0.95


def test_two_slices_agree_with_their_true_mask(segment: Segmenter, real_data: Path) -> None:
    folder = real_data / "chest" / "cip_two_slices"
    volume = _without_header(folder / "crop_ct_2slices.nrrd")
    assert dice(segment(volume), _true(folder / "lung_labels.nrrd")) >= 0.95


@pytest.mark.parametrize("kernel", ["B70f", "B40f"])
def test_a_patients_lungs_have_a_plausible_volume(segment: Segmenter, real_data: Path, kernel: str) -> None:
    volume = load(sorted((real_data / "chest" / "lung_dx_A0002" / kernel).iterdir()))
    assert 1.5 < segment(volume).sum() * volume.voxel_ml / 1000.0 < 9.0


def test_every_tumour_box_has_its_centre_in_the_lungs(segment: Segmenter, real_data: Path) -> None:
    case = real_data / "chest" / "lung_dx_A0002"
    missed, seen = [], 0
    for kernel in ("B70f", "B40f"):
        volume = load(sorted((case / kernel).iterdir()))
        lungs = segment(volume)
        for k, uid in enumerate(volume.sop_instance_uids):
            path = case / "boxes" / f"{uid}.xml"
            if path.exists():
                seen += 1
                missed += [] if lungs[k][_box_centre(path)] else [(kernel, k)]
    assert seen == len(list((case / "boxes").iterdir()))
    assert not missed


def test_a_nodule_lies_in_the_lungs_as_every_reader_drew_it(segment: Segmenter, real_data: Path) -> None:
    case = real_data / "chest" / "lidc_0001_nodule16"
    volume = load(sorted(case.glob("*.dcm")))
    lungs = segment(volume)
    heights = [round(position[2], 1) for position in volume.positions_mm]
    readers = json.loads((case / "contours.json").read_text())["readers"]
    centres, outlines = [], []
    for contour in (c for reader in readers for c in reader["contours"]):
        plane, points = lungs[heights.index(round(contour["z"], 1))], np.asarray(contour["points"])
        centres.append(_at(plane, points.mean(axis=0)[np.newaxis]).all())
        outlines.append(_at(plane, points).mean())
    assert all(centres)
    assert np.mean(outlines) > 0.95  # an outline runs just outside its nodule, here along the pleura


def _at(plane: Mask, points: NDArray[np.float64]) -> Mask:
    x, y = points.astype(int).T
    found: Mask = plane[y, x]
    return found


def _true(path: Path) -> Mask:
    truth: Mask = sitk.GetArrayFromImage(sitk.ReadImage(path)) > 0
    return truth


def _without_header(path: Path) -> CtVolume:
    """A research file: voxels and spacing, and nothing of DICOM."""
    image = sitk.ReadImage(path)
    hu = sitk.GetArrayFromImage(image).astype(np.int16)
    z, y, x = image.GetSpacing()[::-1]
    return replace(as_volume(small_chest()), hu=hu, spacing_mm=(z, y, x))


def _box_centre(path: Path) -> tuple[int, int]:
    box = {name: float(value) for name, value in re.findall(r"<([xy]m(?:in|ax))>([\d.]+)<", path.read_text())}
    return round((box["ymin"] + box["ymax"]) / 2), round((box["xmin"] + box["xmax"]) / 2)
