"""Who made an annotation, what it marks, and what damage does."""

from pathlib import Path

import highdicom as hd
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from inference.annotation_files import File, read, summarise
from inference.annotations import Kind, Series, Unusable
from tests.annotation_objects import (
    AUTOMATIC,
    LUNG,
    NODULE,
    Case,
    case,
    device_observer,
    key_objects,
    person_observer,
    report,
    segmentation,
    structure_set,
    tracked,
)


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case(tmp_path_factory.mktemp("chest"))


def _title(code: str) -> Code:
    return Code(code, "DCM", "some title")


def _group(chest: Case) -> hd.sr.MeasurementsAndQualitativeEvaluations:
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked(),
        finding_type=NODULE,
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(chest.slices[4])],
    )


def _contours(chest: Case) -> list[list[tuple[float, float, float]]]:
    return [[chest.volume.position_mm(4, y, x) for y, x in ((20, 20), (20, 24), (24, 24), (24, 20))]]


@pytest.mark.parametrize("title", ["113000", "113002", "113003", "113005", "113006", "113020", "128203"])
def test_key_objects_of_these_titles_mark_what_they_name(chest: Case, title: str) -> None:
    selected = key_objects(chest.slices[3:6], _title(title))
    assert chest.summary(selected).marks_nothing == ""
    (lesion,) = chest.read(selected).lesions
    assert lesion.sop_instance_uids == chest.volume.sop_instance_uids[3:6]


def test_every_kind_says_to_which_series_it_refers(chest: Case) -> None:
    marks = [
        key_objects(chest.slices[3:6]),
        segmentation(chest.slices, [chest.lesion]),
        structure_set(chest.slices[0], [("GTV", "GTV", _contours(chest))]),
        report(chest.slices, [_group(chest)], person_observer()),
    ]
    for made in marks:
        assert chest.summary(made).refers_to == {chest.volume.series_instance_uid}


@pytest.mark.parametrize("title", ["113004", "113009", "113010", "113013", "113030", "113018"])
def test_other_titles_mark_nothing(chest: Case, title: str) -> None:
    said = chest.summary(key_objects(chest.slices[:1], _title(title)))
    assert said.marks_nothing == "its document title does not say that the images show a lesion"
    assert not said.withdraws


@pytest.mark.parametrize("title", ["113001", "113037", "113038", "113039"])
def test_a_rejection_note_withdraws_what_it_names_and_marks_nothing(chest: Case, title: str) -> None:
    note = key_objects(chest.slices[3:5], _title(title))
    assert chest.summary(note).withdraws == set(chest.volume.sop_instance_uids[3:5])
    assert chest.summary(note).marks_nothing == "it is a rejection note"
    assert not chest.read(note).lesions


def test_a_title_of_another_coding_scheme_is_no_title(chest: Case) -> None:
    selected = key_objects(chest.slices[:1], Code("113000", "99OTHER", "Of Interest"))
    assert chest.summary(selected).marks_nothing


def test_a_document_by_a_device_is_an_algorithms(chest: Case) -> None:
    assert not chest.summary(key_objects(chest.slices[:1])).by_algorithm  # nothing said: a person
    assert chest.summary(key_objects(chest.slices[:1], observer=device_observer())).by_algorithm
    assert chest.summary(report(chest.slices, [_group(chest)], device_observer())).by_algorithm
    assert not chest.summary(report(chest.slices, [_group(chest)], person_observer())).by_algorithm


def test_who_verifies_a_report_of_an_algorithm_answers_for_it(chest: Case) -> None:
    verified = report(chest.slices, [_group(chest)], device_observer())
    verified.VerificationFlag = "VERIFIED"
    assert not chest.summary(verified).by_algorithm


def test_contributing_equipment_with_a_device_uid_is_an_algorithm(chest: Case) -> None:
    selected = key_objects(chest.slices[:1])
    equipment = selected.ContributingEquipmentSequence[0]  # highdicom itself
    assert not chest.summary(selected).by_algorithm
    equipment.DeviceUID = generate_uid()
    said = chest.summary(selected)
    assert said.by_algorithm
    assert said.device_uids == {equipment.DeviceUID}


def test_automatic_segments_and_regions_are_an_algorithms(chest: Case) -> None:
    automatic = segmentation(chest.slices, [chest.lesion], algorithm=AUTOMATIC)
    steered = segmentation(
        chest.slices, [chest.lesion], algorithm=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC
    )
    assert chest.summary(automatic).by_algorithm
    assert not chest.summary(steered).by_algorithm
    assert not chest.read(automatic).lesions
    assert len(chest.read(automatic, algorithms=True).lesions) == 1
    drawn = structure_set(chest.slices[0], [("Tumour", "GTV", _contours(chest))], algorithm="AUTOMATIC")
    assert chest.summary(drawn).by_algorithm


def test_of_several_segments_those_of_lesions_are_read(chest: Case) -> None:
    both = segmentation(chest.slices, [chest.lungs & ~chest.lesion, chest.lesion], [LUNG, NODULE])
    assert [lesion.number for lesion in chest.read(both).lesions] == [2]


def test_a_segmentation_of_organs_marks_nothing(chest: Case) -> None:
    organs = segmentation(chest.slices, [chest.lungs], [LUNG])
    assert chest.summary(organs).marks_nothing == "none of its 1 segments is a lesion"


@pytest.mark.parametrize(
    ("name", "kind", "marks"),
    [
        ("gtv 1", "", True),
        ("x", "GTV", True),
        ("1", "", True),
        ("Nodule left lung", "ORGAN", True),
        ("Lung_L", "ORGAN", False),
        ("Heart", "", False),
        ("Plan", "PTV", False),
    ],
)
def test_a_region_of_interest_is_a_lesion_by_name_or_type(
    chest: Case, name: str, kind: str, marks: bool
) -> None:
    said = chest.summary(structure_set(chest.slices[0], [(name, kind, _contours(chest))]))
    assert (not said.marks_nothing) is marks


def test_the_groups_of_organs_in_a_report_mark_nothing(chest: Case) -> None:
    aorta = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracked(),
        finding_type=codes.SCT.Aorta,
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(chest.slices[4])],
    )
    assert chest.summary(report(chest.slices, [aorta])).marks_nothing
    (lesion,) = chest.read(report(chest.slices, [aorta, _group(chest)])).lesions
    assert lesion.number == 2


@pytest.mark.parametrize(
    "keyword",
    [
        "SegmentSequence",
        "PerFrameFunctionalGroupsSequence",
        "NumberOfFrames",
        "PixelData",
        "SegmentationType",
    ],
)
def test_a_damaged_segmentation_is_said_to_be_damaged(chest: Case, keyword: str) -> None:
    damaged = segmentation(chest.slices, [chest.lesion])
    delattr(damaged, keyword)
    annotation = chest.read(damaged)
    assert not annotation.lesions
    assert ["damaged" in reason for reason in annotation.reasons] == [True]
    assert chest.summary(damaged).marks_nothing == ""


def test_damage_to_one_lesion_leaves_the_others(chest: Case) -> None:
    regions = [(name, "GTV", _contours(chest)) for name in ("one", "two")]
    drawn = structure_set(chest.slices[0], regions)
    drawn.ROIContourSequence[0].ContourSequence[0].ContourData = [1.0, 2.0]
    annotation = chest.read(drawn)
    assert [lesion.number for lesion in annotation.lesions] == [2]
    assert annotation.reasons == ("it is damaged (ValueError)",)


def test_pixel_data_that_is_cut_is_damage(chest: Case) -> None:
    cut = segmentation(chest.slices, [chest.lesion])
    cut.PixelData = cut.PixelData[:100]
    assert ["damaged" in reason for reason in chest.read(cut).reasons] == [True]


def test_another_frame_of_reference_or_series_is_refused(chest: Case) -> None:
    elsewhere = segmentation(chest.slices, [chest.lesion])
    elsewhere.FrameOfReferenceUID = "1.2.3"
    assert chest.read(elsewhere).reasons == (
        f"its frame of reference is 1.2.3, that of the images {chest.slices[0].FrameOfReferenceUID}",
    )
    other = segmentation(chest.slices, [chest.lesion])
    other.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.3"
    assert chest.read(other).reasons == (
        f"it refers to series 1.2.3, analysed is {chest.volume.series_instance_uid}",
    )
    drawn = structure_set(chest.slices[0], [("Tumour", "GTV", _contours(chest))])
    drawn.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    assert "1.2.3" in chest.read(drawn).reasons[0]


@pytest.mark.parametrize(("named", "said"), [("", "not named"), ("Doe^Jane", "no valid UID"), ("1.2", "1.2")])
def test_a_reason_quotes_a_uid_only_if_it_is_one(named: str, said: str) -> None:
    series = Series("1.2.3", "1.2.4")
    with pytest.raises(Unusable) as refusal:
        series.refuse_other_frame(named)
    assert str(refusal.value) == f"its frame of reference is {said}, that of the images 1.2.4"


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::UserWarning")  # the headers of these files are not all valid
@pytest.mark.parametrize(
    ("name", "kind", "lesions", "marks_nothing"),
    [
        ("kos_vendor_1", Kind.KEY_OBJECTS, 0, "title"),  # a manifest
        ("kos_vendor_3", Kind.KEY_OBJECTS, 1, ""),  # of interest
        ("seg_dcmqi_liver", Kind.SEGMENTATION, 0, "none of its"),
        ("seg_highdicom_overlap", Kind.SEGMENTATION, 0, "none of its"),
        ("tid1500_dcmjs", Kind.REPORT, 1, ""),
        (
            "tid1500_highdicom_groups",
            Kind.REPORT,
            2,
            "",
        ),  # an image and a nodule, but no aorta and no vertebra
    ],
)
def test_objects_of_other_makers_are_read(
    real_data: Path, name: str, kind: Kind, lesions: int, marks_nothing: str
) -> None:
    path = real_data / "sr" / f"{name}.dcm"
    ds = dcmread(path, stop_before_pixels=True)
    file = File(path, str(ds.SOPInstanceUID), str(ds.SOPClassUID))
    series = Series("1.2", _frame_of_reference(ds))
    assert file.kind is kind
    assert marks_nothing in summarise(file).marks_nothing
    assert bool(summarise(file).marks_nothing) is bool(marks_nothing)
    assert len(read(file, series).lesions) == lesions


def _frame_of_reference(ds: Dataset) -> str:
    return str(ds.get("FrameOfReferenceUID") or "1.3")
