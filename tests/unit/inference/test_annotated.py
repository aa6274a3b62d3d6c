"""The slices and regions that annotations name, on the grid of the volume."""

from collections.abc import Sequence

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.annotated import select_annotated
from inference.extent import longest_axial_mm
from inference.findings import Mark, QualityCode, SlicePolicy
from inference.marks.content_tree import below, referenced
from inference.targets import Region, Selection
from tests.annotation_objects import (
    NODULE,
    Case,
    Mask,
    case,
    key_objects,
    report,
    segmentation,
    structure_set,
    tracked,
)


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case(tmp_path_factory.mktemp("chest"))


def drawn(region: Region, chest: Case) -> Mask:
    return np.stack([region.plane(k, chest.lesion[0].shape) for k in range(len(chest.lesion))])


def refusals(selection: Selection) -> list[str]:
    assert all(finding.code is QualityCode.ANNOTATION_REFUSED for finding in selection.findings)
    return [finding.text.split(" was not used: ")[1] for finding in selection.findings]


def box(chest: Case, rows: slice, columns: slice, slices: slice) -> Mask:
    mask = np.zeros_like(chest.lesion)
    mask[slices, rows, columns] = True
    return mask


def aerated(chest: Case) -> tuple[int, int, int]:
    """A voxel of lung far from the lesion."""
    inside = np.argwhere(chest.lungs & ~chest.lesion)
    middle = np.argwhere(chest.lesion).mean(axis=0)
    z, y, x = inside[np.linalg.norm((inside - middle) * [1, 1, 1], axis=1).argmax()]
    return int(z), int(y), int(x)


def square(chest: Case, z: int, y: float, x: float, half: float = 3.0) -> list[tuple[float, float, float]]:
    corners = ((-half, -half), (-half, half), (half, half), (half, -half))
    return [chest.volume.position_mm(z, y + dy, x + dx) for dy, dx in corners]


def group(
    region: hd.sr.ImageRegion | hd.sr.ImageRegion3D,
) -> hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations:
    return hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked(), finding_type=NODULE, referenced_region=region
    )


def scoord(chest: Case, z: int, kind: hd.sr.GraphicTypeValues, points: Sequence[Sequence[float]]) -> Dataset:
    """A region of a slice, as a group of a report."""
    return report(
        chest.slices,
        [
            group(
                hd.sr.ImageRegion(
                    graphic_type=kind,
                    graphic_data=np.asarray(points, dtype=np.float64),
                    source_image=hd.sr.SourceImageForRegion.from_source_image(chest.slices[z]),
                ),
            )
        ],
    )


def test_key_objects_name_their_slices_and_no_place(chest: Case) -> None:
    selection = chest.select(key_objects([chest.slices[k] for k in (9, 5, 6)]))
    (region,) = selection.regions
    assert selection.policy is SlicePolicy.ANNOTATED
    assert region.shown == (5, 6, 9)
    assert (region.target.position_mm, region.target.size_mm) == (None, None)
    assert not drawn(region, chest).any()
    assert not selection.findings
    assert selection.mark is not None
    assert selection.mark.segment is None


def test_a_segmentation_is_taken_pixel_for_pixel(chest: Case) -> None:
    selection = chest.select(segmentation(chest.slices, [chest.lesion]))
    (region,) = selection.regions
    assert np.array_equal(drawn(region, chest), chest.lesion)
    assert region.shown == chest.shown
    assert region.target.size_mm == pytest.approx(longest_axial_mm(chest.lesion, chest.volume.spacing_mm))
    middle = np.argwhere(chest.lesion).mean(axis=0)
    assert region.target.position_mm == pytest.approx(chest.volume.position_mm(*middle))


@pytest.mark.parametrize(
    "form", [hd.seg.SegmentationTypeValues.FRACTIONAL, hd.seg.SegmentationTypeValues.LABELMAP]
)
def test_every_type_of_segmentation_is_read(chest: Case, form: hd.seg.SegmentationTypeValues) -> None:
    (region,) = chest.select(segmentation(chest.slices, [chest.lesion], form=form)).regions
    assert np.array_equal(drawn(region, chest), chest.lesion)


def test_a_segmentation_on_a_turned_and_finer_grid_lies_in_the_same_place(chest: Case) -> None:
    fine = case(chest.folder.parent / "fine", pixels=128)
    seg = segmentation(fine.slices, [fine.lesion])
    seg.ReferencedSeriesSequence = []
    for frame in seg.PerFrameFunctionalGroupsSequence:  # rows from left to right, columns from back to front
        k = fine.volume.positions_mm.index(
            tuple(float(v) for v in frame.PlanePositionSequence[0].ImagePositionPatient)
        )
        frame.PlanePositionSequence[0].ImagePositionPatient = [
            round(v, 6) for v in fine.volume.position_mm(k, 127, 127)
        ]
    seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient = [
        -1, 0, 0, 0, -1, 0,
    ]  # fmt: skip
    frames = np.unpackbits(np.frombuffer(seg.PixelData, dtype=np.uint8), bitorder="little")
    frames = frames[: int(seg.NumberOfFrames) * 128 * 128].reshape(-1, 128, 128)[:, ::-1, ::-1]
    seg.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    seg.FrameOfReferenceUID = chest.slices[0].FrameOfReferenceUID
    (region,) = chest.select(seg).regions
    found = drawn(region, chest)
    assert 2.0 * (found & chest.lesion).sum() / (found.sum() + chest.lesion.sum()) > 0.85  # Dice
    assert (
        abs(np.subtract(np.argwhere(found).mean(axis=0), np.argwhere(chest.lesion).mean(axis=0))).max() < 0.5
    )


def test_contours_of_a_structure_set_are_filled(chest: Case) -> None:
    k = chest.shown[len(chest.shown) // 2]
    y, x = np.argwhere(chest.lesion[k]).mean(axis=0).round()
    contours = [square(chest, z, y, x) for z in (k, k + 1)]
    (region,) = chest.select(structure_set(chest.slices[0], [("GTV", "GTV", contours)])).regions
    found = drawn(region, chest)
    assert region.shown == (k, k + 1)
    assert 36 <= found[k].sum() <= 49  # a square of 6 pixels, whose edge lies on pixel middles
    assert found[k, int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].all()


def test_of_nested_contours_that_exclude_each_other_a_ring_is_left(chest: Case) -> None:
    """PS3.3 C.8.8.6.3, CLOSEDPLANAR_XOR: as a planning system writes a nodule with a cavity."""
    k = chest.shown[len(chest.shown) // 2]
    y, x = np.argwhere(chest.lesion[k]).mean(axis=0).round().astype(int)
    nested = [square(chest, k, y, x), square(chest, k, y, x, half=1.5)]
    marked = structure_set(chest.slices[0], [("GTV", "GTV", nested)], geometric="CLOSEDPLANAR_XOR")
    (region,) = chest.select(marked).regions
    found = drawn(region, chest)[k]
    assert not found[y, x]
    assert found[y, x - 2]
    assert found[y - 2, x]


def test_a_point_names_a_slice_and_a_place_and_no_size(chest: Case) -> None:
    z, y, x = (int(v) for v in np.argwhere(chest.lesion)[0])
    point = [[chest.volume.position_mm(z, y, x)]]
    marked = structure_set(chest.slices[0], [("Nodule", "", point)], geometric="POINT")
    (region,) = chest.select(marked).regions
    assert region.shown == (z,)
    assert region.target.position_mm == pytest.approx(chest.volume.position_mm(z, y, x))
    assert region.target.size_mm is None


@pytest.mark.parametrize(
    ("kind", "away", "pixels"),
    [
        (hd.sr.GraphicTypeValues.POLYLINE, [(-3, -3), (3, -3), (3, 3), (-3, 3), (-3, -3)], (36, 49)),
        (hd.sr.GraphicTypeValues.POLYLINE, [(-4, 0), (4, 0)], (9, 9)),
        (hd.sr.GraphicTypeValues.CIRCLE, [(0, 0), (4, 0)], (45, 53)),
        (hd.sr.GraphicTypeValues.ELLIPSE, [(-4, 0), (4, 0), (0, -2), (0, 2)], (19, 29)),
        (hd.sr.GraphicTypeValues.POINT, [(0, 0)], (1, 1)),
    ],
)
def test_regions_of_a_report_are_drawn_in_their_image(
    chest: Case, kind: hd.sr.GraphicTypeValues, away: list[tuple[int, int]], pixels: tuple[int, int]
) -> None:
    k = chest.shown[len(chest.shown) // 2]
    y, x = (int(v) for v in np.argwhere(chest.lesion[k]).mean(axis=0))
    points = [(x + 0.5 + dx, y + 0.5 + dy) for dx, dy in away]  # 0.5 is the middle of the first pixel
    (region,) = chest.select(scoord(chest, k, kind, points)).regions
    found = drawn(region, chest)
    assert region.shown == (k,)
    assert pixels[0] <= found.sum() <= pixels[1]
    assert np.argwhere(found[k]).mean(axis=0) == pytest.approx((y, x), abs=0.51)


def test_a_region_in_the_patient_lies_on_its_slice(chest: Case) -> None:
    k = chest.shown[0]
    y, x = np.argwhere(chest.lesion[k]).mean(axis=0).round()
    corners = [*square(chest, k, y, x), square(chest, k, y, x)[0]]
    marked = report(
        chest.slices,
        [
            group(
                hd.sr.ImageRegion3D(
                    graphic_type=hd.sr.GraphicTypeValues3D.POLYGON,
                    graphic_data=np.asarray(corners),
                    frame_of_reference_uid=chest.slices[0].FrameOfReferenceUID,
                ),
            )
        ],
    )
    (region,) = chest.select(marked).regions
    assert region.shown == (k,)
    assert 36 <= drawn(region, chest).sum() <= 49


def test_a_report_may_refer_to_a_segment(chest: Case) -> None:
    seg = segmentation(chest.slices, [chest.lesion])
    referring = report(
        [*chest.slices, seg],
        [
            hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=tracked(),
                finding_type=NODULE,
                referenced_segment=hd.sr.ReferencedSegment(
                    sop_class_uid=seg.SOPClassUID,
                    sop_instance_uid=seg.SOPInstanceUID,
                    segment_number=1,
                    source_images=[
                        hd.sr.SourceImageForSegmentation.from_source_image(ds) for ds in chest.slices
                    ],
                ),
            )
        ],
    )
    (region,) = chest.select(referring, seg).regions  # one lesion, though both mark it
    assert np.array_equal(drawn(region, chest), chest.lesion)
    alone = chest.select(referring)
    assert not alone.regions
    assert alone.mark is None
    assert refusals(alone) == [f"segment 1 of {seg.SOPInstanceUID} is not here or marks nothing that counts."]


def test_the_widest_lesion_is_the_target_and_the_others_are_candidates(chest: Case) -> None:
    z, y, x = aerated(chest)
    small = box(chest, slice(y, y + 1), slice(x, x + 1), slice(z, z + 1))
    selection = chest.select(segmentation(chest.slices, [small, chest.lesion], [NODULE, NODULE]))
    sizes = [region.target.size_mm or 0.0 for region in selection.regions]
    assert len(sizes) == 2
    assert sizes[0] > sizes[1]
    assert selection.regions[0].shown == chest.shown
    assert selection.mark is not None
    assert selection.mark.segment == 2


def test_a_lesion_that_is_marked_twice_counts_once_and_its_region_is_preferred(chest: Case) -> None:
    seg = segmentation(chest.slices, [chest.lesion])
    keys = key_objects([chest.slices[k] for k in chest.shown[:2]])
    k = chest.shown[len(chest.shown) // 2]
    y, x = np.argwhere(chest.lesion[k]).mean(axis=0)
    contours = structure_set(chest.slices[0], [("GTV", "GTV", [square(chest, k, y, x, half=1.0)])])
    selection = chest.select(keys, contours, seg)
    (region,) = selection.regions
    assert np.array_equal(drawn(region, chest), chest.lesion)
    assert not selection.findings
    assert selection.mark == Mark(str(seg.SOPInstanceUID), 1)


def test_of_two_annotations_of_a_kind_the_newer_counts(chest: Case) -> None:
    older, newer = key_objects(chest.slices[5:8]), key_objects(chest.slices[7:9])
    older.ContentDate, newer.ContentDate = "20260101", "20260102"
    for objects in ((older, newer), (newer, older)):
        (region,) = chest.select(*objects).regions
        assert region.shown == (7, 8)


def test_the_order_in_which_annotations_come_changes_nothing(chest: Case) -> None:
    z, y, x = aerated(chest)
    small = box(chest, slice(y, y + 1), slice(x, x + 1), slice(z, z + 1))
    objects = [segmentation(chest.slices, [mask]) for mask in (chest.lesion, small)]
    one, other = chest.select(*objects), chest.select(*objects[::-1])
    assert [r.target for r in one.regions] == [r.target for r in other.regions]


def test_slices_of_another_series_are_refused(chest: Case) -> None:
    other = key_objects(chest.slices[:2])
    for item in other.ContentSequence:
        for sop in item.get("ReferencedSOPSequence") or ():
            sop.ReferencedSOPInstanceUID += "9"
    selection = chest.select(other)
    assert selection.policy is SlicePolicy.NONE
    assert refusals(selection) == ["none of the 2 images it names is of the series that is analysed."]


def test_a_selection_of_every_slice_selects_nothing(chest: Case) -> None:
    selection = chest.select(key_objects(chest.slices))
    assert not selection.regions
    assert refusals(selection) == [f"it names all {len(chest.slices)} slices of the series."]


def shifted(chest: Case, by_mm: Sequence[float]) -> Dataset:
    seg = segmentation(chest.slices, [chest.lesion])
    for frame in seg.PerFrameFunctionalGroupsSequence:
        position = frame.PlanePositionSequence[0]
        position.ImagePositionPatient = [
            float(v) + d for v, d in zip(position.ImagePositionPatient, by_mm, strict=True)
        ]
    return seg


@pytest.mark.parametrize(
    ("by_mm", "reason"),
    [
        ((0.0, 0.0, 500.0), "off the nearest slice"),
        ((2000.0, 0.0, 0.0), "outside the image"),
        ((0.0, -160.0, 0.0), "outside the lungs"),
    ],
)
def test_a_misregistered_segmentation_is_refused_with_the_reason(
    chest: Case, by_mm: tuple[float, float, float], reason: str
) -> None:
    selection = chest.select(shifted(chest, by_mm))
    assert not selection.regions
    assert [reason in text for text in refusals(selection)] == [True]


def test_a_shift_of_less_than_half_a_slice_finds_the_nearest_slices(chest: Case) -> None:
    (region,) = chest.select(shifted(chest, (0.0, 0.0, 7.0))).regions  # slices are 15 mm apart
    assert region.shown == chest.shown


def test_planes_that_are_turned_are_refused(chest: Case) -> None:
    seg = segmentation(chest.slices, [chest.lesion])
    turned = seg.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
    turned.ImageOrientationPatient = [1, 0, 0, 0, 0, 1]
    assert refusals(chest.select(seg)) == ["its planes are turned by 90 degrees against the slices."]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_points_that_are_no_numbers_are_refused(chest: Case, value: float) -> None:
    contours = [square(chest, 5, 30, 30)]
    drawn_in = structure_set(chest.slices[0], [("GTV", "GTV", contours)])
    drawn_in.ROIContourSequence[0].ContourSequence[0].ContourData[0] = value
    selection = chest.select(drawn_in)
    assert not selection.regions
    assert len(selection.findings) == 1


@pytest.mark.parametrize("away", [[(0, 0), (1e9, 0)], [(1e9, 1e9), (1e9, 2e9)]])
def test_a_line_that_leaves_the_image_is_refused(chest: Case, away: list[tuple[float, float]]) -> None:
    selection = chest.select(scoord(chest, 5, hd.sr.GraphicTypeValues.POLYLINE, away))
    assert ["outside the image" in text for text in refusals(selection)] == [True]


def test_a_region_that_names_no_image_is_refused(chest: Case) -> None:
    marked = scoord(chest, 5, hd.sr.GraphicTypeValues.POLYLINE, [(20, 20), (28, 20)])
    for item in below(marked):
        for sop in referenced(item):
            sop.ReferencedSOPInstanceUID = ""
    assert refusals(chest.select(marked)) == ["a region names no image."]


def test_slices_without_lung_are_refused(chest: Case) -> None:
    nowhere: NDArray[np.bool_] = np.zeros_like(chest.lungs)
    for marked in (key_objects(chest.slices[4:6]), segmentation(chest.slices, [chest.lesion])):
        assert not select_annotated(chest.volume, nowhere, [chest.read(marked)]).regions


def test_a_finding_names_the_object_by_its_uid_alone(chest: Case) -> None:
    organs = structure_set(chest.slices[0], [("Doe^Jane", "ORGAN", [square(chest, 5, 30, 30)])])
    (finding,) = chest.select(organs).findings
    assert finding.text == (
        f"Structure set {organs.SOPInstanceUID} was not used: none of its 1 regions of interest is a lesion."
    )
