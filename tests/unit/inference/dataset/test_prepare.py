"""What a network is trained on is what it will see in the service, and depends on nothing but images and marks."""

import ast
import inspect
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from inference.annotations import Annotation, Kind, Lesion
from inference.bundle import Preprocessing
from inference.dataset import marks, prepare
from inference.dataset.folder import WHITE
from inference.dataset.prepare import NothingMarked, Prepared
from inference.marks.boxes import Box, as_annotation
from inference.phantom import LesionKind, Phantom, as_volume, chest
from inference.preprocess import frame, network_input, slabs
from inference.volume import CtVolume, NoLungs
from tests.small_cohort import AirSegmenter

NUMBERS = Preprocessing(slice_thickness_mm=5.0, pixel_mm=4.0, size=80)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return chest(
        seed=3,
        lesion=LesionKind.PIMA_LIKE,
        size_mm=50.0,
        pixels=64,
        pixel_mm=5.6,
        slice_mm=2.5,
        coverage_mm=200.0,
    )


@pytest.fixture(scope="module")
def volume(phantom: Phantom) -> CtVolume:
    return as_volume(phantom)


def shown(phantom: Phantom) -> list[int]:
    return [int(k) for k in np.flatnonzero(phantom.lesion.any(axis=(1, 2)))]


def listed(volume: CtVolume, slices: Sequence[int]) -> Annotation:
    uids = tuple(volume.sop_instance_uids[k] for k in slices)
    return Annotation("1.2.3", Kind.SLICE_LIST, "", (Lesion(1, sop_instance_uids=uids),))


def made(volume: CtVolume, *annotations: Annotation, minimum_lung_ml: float = 0.0) -> Prepared:
    return prepare.prepare(volume, annotations, AirSegmenter(), NUMBERS, minimum_lung_ml=minimum_lung_ml)


@pytest.mark.parametrize("outside", ["zero", "keep"])
def test_arrays_are_what_the_service_gives_the_network(
    phantom: Phantom, volume: CtVolume, outside: str
) -> None:
    numbers = NUMBERS.model_copy(update={"outside_lungs": outside})
    prepared, lungs = made(volume, listed(volume, shown(phantom))), AirSegmenter()(volume)
    cut = [slab for slab in slabs(volume, 5.0) if set(slab.slices) & set(shown(phantom))]
    place = frame(volume, lungs, numbers)
    assert len(prepared.images) == len(cut)
    for slab, image, seen in zip(cut, prepared.images, prepared.lungs, strict=True):
        expected = network_input(volume.hu, lungs, slab, place, numbers)
        kept = image if outside == "keep" else np.where(seen, image, 0)
        assert np.abs(kept / WHITE - expected).max() <= 1 / WHITE


def test_slabs_are_those_that_hold_a_marked_slice(volume: CtVolume) -> None:
    prepared = made(volume, listed(volume, [21, 40]))  # of the slabs 20-21 and 40-41
    assert prepared.sop_instance_uids == tuple(volume.sop_instance_uids[k] for k in (20, 21, 40, 41))
    assert prepared.marked_by is Kind.SLICE_LIST
    assert not prepared.lesion.any()
    assert prepared.size_mm is None


def test_the_marked_extent_lies_where_the_image_does(phantom: Phantom, volume: CtVolume) -> None:
    """The box covers the phantom's lesion, so that it holds the brightest pixels of the lungs' surroundings."""
    boxes = []
    for k in shown(phantom):
        rows, columns = np.nonzero(phantom.lesion[k])
        boxes.append(
            Box(
                volume.sop_instance_uids[k],
                int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1,
            )
        )  # fmt: skip
    prepared = made(volume, as_annotation(boxes, volume))
    assert prepared.marked_by is Kind.BOXES
    assert prepared.size_mm is None
    marked_ml = prepared.lesion.sum() * 5.0 * 4.0**2 / 1000.0
    box_ml = sum((b.right - b.left) * (b.bottom - b.top) for b in boxes) * 2.5 * 5.6**2 / 1000.0
    assert marked_ml == pytest.approx(box_ml, rel=0.2)
    soft = prepared.images > 0.5 * WHITE
    assert soft[prepared.lesion].mean() > 0.5


def test_without_a_mark_there_is_no_case_and_it_says_why(volume: CtVolume) -> None:
    with pytest.raises(NothingMarked, match="none of the 1 images it names"):
        made(volume, Annotation("1.2", Kind.SLICE_LIST, "", (Lesion(1, sop_instance_uids=("1.9",)),)))
    with pytest.raises(NothingMarked):
        made(volume)


def test_without_lungs_there_is_no_case(phantom: Phantom, volume: CtVolume) -> None:
    with pytest.raises(NoLungs, match="need 90000 ml"):
        made(volume, listed(volume, shown(phantom)), minimum_lung_ml=90000.0)


def test_preparing_knows_neither_label_nor_row() -> None:
    taken = inspect.signature(prepare.prepare).parameters
    assert list(taken) == ["volume", "annotations", "segment", "numbers", "minimum_lung_ml"]
    told = {
        "inference.dataset.table",
        "inference.dataset.rules",
        "inference.dataset.split",
        "inference.dataset.manifest",
    }
    for module in (prepare, marks):
        tree = ast.parse(Path(str(module.__file__)).read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & told
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
            node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
        }
        assert not names & {"label", "row", "rows", "positive", "Label"}
