import json
import re
from pathlib import Path

import numpy as np
import pytest

from inference.findings import Position, SlicePolicy
from inference.phantom import LesionKind, as_volume, chest
from inference.targets import Region, select_automatically
from inference.threshold import ThresholdSegmenter
from inference.volume import CtVolume, load
from tests.phantom import small_chest


def centre(region: Region) -> Position:
    assert region.target.position_mm is not None
    return region.target.position_mm


@pytest.mark.parametrize(
    ("seed", "kind"), [(1, LesionKind.IPN_LIKE), (6, LesionKind.PIMA_LIKE), (10, LesionKind.IPN_LIKE)]
)
def test_the_target_is_the_lesion_of_the_phantom(seed: int, kind: LesionKind) -> None:
    phantom = chest(seed=seed, lesion=kind, pixels=256, pixel_mm=1.4)
    first, *_ = select_automatically(as_volume(phantom), phantom.lungs, ()).regions
    distance = np.linalg.norm(np.subtract(centre(first), phantom.position_mm or ()))
    assert distance < (phantom.size_mm or 0.0) / 2
    overlap = sum((first.plane(k, phantom.hu[k].shape) & phantom.lesion[k]).sum() for k in first.shown)
    assert overlap > 0.5 * phantom.lesion.sum()


@pytest.mark.parametrize("seed", [2, 5, 8])
def test_a_chest_without_lesion_has_no_candidate(seed: int) -> None:
    phantom = chest(seed=seed, lesion=None, pixels=256, pixel_mm=1.4)
    assert select_automatically(as_volume(phantom), phantom.lungs, ()).policy is SlicePolicy.NONE


def test_nothing_is_found_without_lungs() -> None:
    phantom = small_chest()
    assert not select_automatically(as_volume(phantom), np.zeros_like(phantom.lungs), ()).regions


@pytest.mark.realdata
def test_the_target_of_a_real_tumour_lies_in_its_boxes(real_data: Path) -> None:
    case = real_data / "chest" / "lung_dx_A0002"
    volume = load(sorted((case / "B70f").iterdir()))
    lungs = ThresholdSegmenter()(volume)
    first, *others = select_automatically(volume, lungs, ()).regions
    centres = dict(_box_centres(case / "boxes", volume))
    assert sum(k in centres for k in first.shown) >= len(first.shown) / 2
    assert any(
        lungs[k, y, x] and any(r.plane(k, (512, 512))[y, x] for r in (first, *others))
        for k, (y, x) in centres.items()
    )
    assert any(
        _distance_mm(volume, first, k, y, x) <= (first.target.size_mm or 0.0) / 2
        for k, (y, x) in centres.items()
    )


@pytest.mark.realdata
def test_a_real_nodule_is_the_target(real_data: Path) -> None:
    case = real_data / "chest" / "lidc_0001_nodule16"
    volume = load(sorted(case.glob("*.dcm")))
    first, *_ = select_automatically(volume, ThresholdSegmenter()(volume), ()).regions
    readers = json.loads((case / "contours.json").read_text())["readers"]
    heights = [round(position[2], 1) for position in volume.positions_mm]
    hits = []
    for contour in (c for reader in readers for c in reader["contours"]):
        x, y = np.mean(contour["points"], axis=0).round().astype(int)
        hits.append(first.plane(heights.index(round(contour["z"], 1)), (512, 512))[y, x])
    assert np.mean(hits) > 0.75  # not in the outermost slices of every reader


def _box_centres(folder: Path, volume: CtVolume) -> list[tuple[int, tuple[int, int]]]:
    return [
        (volume.sop_instance_uids.index(path.stem), _centre(path))
        for path in folder.iterdir()
        if path.stem in volume.sop_instance_uids
    ]


def _centre(path: Path) -> tuple[int, int]:
    box = {name: float(value) for name, value in re.findall(r"<([xy]m(?:in|ax))>([\d.]+)<", path.read_text())}
    return round((box["ymin"] + box["ymax"]) / 2), round((box["xmin"] + box["xmax"]) / 2)


def _distance_mm(volume: CtVolume, region: Region, k: int, y: int, x: int) -> float:
    return float(np.linalg.norm(np.subtract(volume.position_mm(k, y, x), centre(region))))
