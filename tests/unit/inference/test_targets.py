import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.analyse import showing
from inference.findings import Position, SlicePolicy
from inference.morphology import Mask, Spacing
from inference.phantom import LesionKind, as_volume, chest
from inference.preprocess import slabs
from inference.targets import Region, select_automatically
from inference.threshold import ThresholdSegmenter
from inference.volume import CtVolume, load
from tests.phantom import small_chest

POSITIONS = tuple((0.0, 0.0, float(z)) for z in range(200))


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


@pytest.mark.parametrize("seed", [2, 5, 8, 9000, 9023, 9040])
def test_a_chest_without_lesion_has_no_candidate(seed: int) -> None:
    phantom = chest(seed=seed, lesion=None, pixels=256, pixel_mm=1.4)
    assert select_automatically(as_volume(phantom), phantom.lungs, ()).policy is SlicePolicy.NONE


def test_of_three_lesions_one_is_the_target_and_the_others_are_listed() -> None:
    kinds = (LesionKind.IPN_LIKE, 24.0), (LesionKind.IPN_LIKE, 28.0)
    phantom = chest(
        seed=9201, lesion=LesionKind.IPN_LIKE, size_mm=32.0, pixels=256, pixel_mm=1.4, others=kinds
    )
    regions = select_automatically(as_volume(phantom), phantom.lungs, ()).regions
    lesions = [(phantom.position_mm, phantom.size_mm), *((o.position_mm, o.size_mm) for o in phantom.others)]
    found = [
        number
        for region in regions
        for number, (position, size) in enumerate(lesions)
        if np.linalg.norm(np.subtract(centre(region), position or ())) < (size or 0.0) / 2
    ]
    assert sorted(found) == [0, 1, 2]
    assert len(regions) == 3


def in_lung(tissue: Mask, spacing_mm: Spacing) -> CtVolume:
    """Tissue in nothing but lung."""
    hu = np.where(tissue, 30, -850).astype(np.int16)
    return replace(as_volume(small_chest()), hu=hu, spacing_mm=spacing_mm, positions_mm=POSITIONS[: len(hu)])


SPACINGS = [(1.0, 1.4, 1.4), (2.5, 1.4, 1.4), (5.0, 1.4, 1.4), (8.0, 1.4, 1.4)]


@pytest.mark.parametrize("spacing_mm", SPACINGS)
def test_a_ball_is_a_candidate_and_a_tube_as_thick_is_none(spacing_mm: Spacing) -> None:
    ball, tube = spheroid(spacing_mm), spheroid(spacing_mm, reach_mm=(45.0, 9.0, 9.0), power=20)
    lungs = np.ones_like(ball)
    (region,) = select_automatically(in_lung(ball, spacing_mm), lungs, ()).regions
    assert region.target.size_mm == pytest.approx(18.0, abs=3.0)
    assert len(ball) // 2 in region.shown
    assert len(region.shown) * spacing_mm[0] == pytest.approx(18.0, abs=1.5 * spacing_mm[0] + 2.0)
    assert not select_automatically(in_lung(tube, spacing_mm), lungs, ()).regions


def test_what_one_thick_slice_shows_of_a_border_comes_after_a_smaller_nodule() -> None:
    spacing_mm = (10.0, 1.4, 1.4)
    ball, plate = spheroid(spacing_mm), spheroid(spacing_mm, (6.0, 14.0, 14.0), ahead_mm=-40.0)
    assert plate.any(axis=(1, 2)).sum() == 1
    assert plate.sum() > ball.sum()
    first, second = select_automatically(in_lung(ball | plate, spacing_mm), np.ones_like(ball), ()).regions
    assert centre(second)[1] - centre(first)[1] == pytest.approx(40.0, abs=1.5)


@pytest.mark.parametrize("spacing_mm", SPACINGS[1:3])
def test_a_small_nodule_is_listed_beside_a_target_and_is_none_itself(spacing_mm: Spacing) -> None:
    large, small = spheroid(spacing_mm), spheroid(spacing_mm, (5.0, 5.0, 5.0), ahead_mm=-40.0)
    lungs = np.ones_like(large)
    assert not select_automatically(in_lung(small, spacing_mm), lungs, ()).regions
    first, second = select_automatically(in_lung(large | small, spacing_mm), lungs, ()).regions
    assert centre(second)[1] - centre(first)[1] == pytest.approx(40.0, abs=1.5)


def spheroid(
    spacing_mm: Spacing,
    reach_mm: Position = (9.0, 9.0, 9.0),
    *,
    ahead_mm: float = 0.0,
    power: int = 2,
) -> Mask:
    """z, y, x: to one side of a block of 120 x 134 x 134 mm; a high power gives it flat ends."""
    shape = (round(120 / spacing_mm[0]), 96, 96)
    centre_mm = (shape[0] // 2 * spacing_mm[0], 48 * spacing_mm[1] - ahead_mm, 20 * spacing_mm[2])
    axes = (
        (np.arange(n) * s - c) / r for n, s, c, r in zip(shape, spacing_mm, centre_mm, reach_mm, strict=True)
    )
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    body: Mask = (np.abs(z) ** power + (y**2 + x**2)) < 1.0
    return body


def test_nothing_is_found_without_lungs() -> None:
    phantom = small_chest()
    assert not select_automatically(as_volume(phantom), np.zeros_like(phantom.lungs), ()).regions


@pytest.mark.realdata
@pytest.mark.parametrize("kernel", ["B70f", "B40f"])
def test_the_boxed_slices_of_a_real_tumour_are_selected(real_data: Path, kernel: str) -> None:
    case = real_data / "chest" / "lung_dx_A0002"
    volume = load(sorted((case / kernel).iterdir()))
    first, *_ = select_automatically(volume, ThresholdSegmenter()(volume), ()).regions
    selected = {k for slab in showing(first, slabs(volume, 5.0), at_least=0.5) for k in slab.slices}
    boxed = {k for k, _ in _box_centres(case / "boxes", volume)}
    assert len(selected & boxed) >= 0.8 * len(boxed)
    assert len(selected & boxed) >= 0.5 * len(selected)


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
