"""What no validator sees: that the report says what it must, and that its parts agree."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage

from dicom_out import codes
from dicom_out.encode import encode
from dicom_out.header import SourceMissing
from dicom_out.statements import DISCLAIMER, LIMITATIONS
from inference.findings import Mark, QualityCode
from tests.analyses import DEMONSTRATION, LIMIT, PROVENANCE, STUDY_UID, analysis_of, ct_headers
from tests.conformance.variants import EARLIER, NAMES, VARIANTS, Objects, encoded, headers_with, named, result

DEVICE_UID, DEVICE_MANUFACTURER, DEVICE_MODEL = "121012", "121014", "121015"
ALGORITHM_NAME, ALGORITHM_VERSION, ALGORITHM_MANUFACTURER = "111001", "111003", "122405"
UNITS = {
    codes.PROBABILITY.value: "%",
    codes.THRESHOLD.value: "%",
    codes.SPREAD.value: "%",
    codes.FLIP.value: "%",
    codes.SLICE_COUNT.value: "{slices}",
    codes.VOLUME.value: "ml",
    codes.LONG_AXIS.value: "mm",
}


@pytest.fixture(params=VARIANTS)
def objects(request: pytest.FixtureRequest) -> Objects:
    return result(request.param)


@pytest.fixture
def report(objects: Objects) -> Dataset:
    return objects[-1]


def walk(item: Dataset) -> Iterator[Dataset]:
    """A content item and all below it."""
    yield item
    for child in item.get("ContentSequence", ()):
        yield from walk(child)


def concept(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def named_by(item: Dataset, value: str | Code) -> list[Dataset]:
    code = value if isinstance(value, str) else value.value
    return [child for child in item.ContentSequence if concept(child) == code]


def groups(report: Dataset) -> list[Dataset]:
    return list(named_by(report, "126010")[0].ContentSequence)


def text(report: Dataset, code: Code) -> list[str]:
    return [item.TextValue for item in named_by(groups(report)[0], code)]


def test_the_title_and_the_procedure_are_there(report: Dataset) -> None:
    assert concept(report) == codes.TITLE.value
    procedure = named_by(report, "121058")[0].ConceptCodeSequence[0]
    assert (procedure.CodeValue, procedure.CodingSchemeDesignator) == ("25045-6", "LN")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_headings_and_values_stand_apart(report: Dataset) -> None:
    containers = [item for item in walk(report) if item.ValueType == "CONTAINER"]
    assert {item.ContinuityOfContent for item in containers} == {"SEPARATE"}


def test_every_group_is_tracked_under_its_own_uid(report: Dataset) -> None:
    uids = [named_by(group, "112040")[0].UID for group in groups(report)]
    assert all(named_by(group, "112039")[0].TextValue for group in groups(report))
    assert len(set(uids)) == len(uids)
    assert all(UID(uid).is_valid for uid in uids)


def test_every_number_has_its_unit_and_percents_two_decimals(report: Dataset) -> None:
    for item in walk(report):
        if item.ValueType == "NUM":
            measured = item.MeasuredValueSequence[0]
            unit = measured.MeasurementUnitsCodeSequence[0]
            assert (unit.CodeValue, unit.CodingSchemeDesignator) == (UNITS[concept(item)], "UCUM")
            if unit.CodeValue == "%":
                assert str(measured.NumericValue).split(".")[1].isdigit()
                assert len(str(measured.NumericValue).split(".")[1]) == 2
                assert 0 <= float(measured.NumericValue) <= 100


def test_the_places_that_name_an_algorithm_agree(report: Dataset) -> None:
    """IHE AIR table 6.5.3.1-1."""
    equipment = {
        (d.Manufacturer, d.ManufacturerModelName, d.SoftwareVersions): d.DeviceUID
        for d in report.ContributingEquipmentSequence
    }
    for group in groups(report):
        for name in named_by(group, ALGORITHM_NAME):
            version, manufacturer = (
                named_by(group, code)[0].TextValue for code in (ALGORITHM_VERSION, ALGORITHM_MANUFACTURER)
            )
            assert (manufacturer, name.TextValue, version) in equipment
    observer = (
        named_by(report, DEVICE_MANUFACTURER)[0].TextValue,
        named_by(report, DEVICE_MODEL)[0].TextValue,
    )
    uids = {uid for key, uid in equipment.items() if key[:2] == observer}
    assert uids == {named_by(report, DEVICE_UID)[0].UID}


def test_each_algorithm_is_a_processing_equipment_of_its_own(objects: Objects) -> None:
    for ds in objects:
        devices = ds.ContributingEquipmentSequence
        assert {d.PurposeOfReferenceCodeSequence[0].CodeValue for d in devices} == {"109102"}
        assert len({d.DeviceUID for d in devices}) == len(devices) >= 2
        assert ds.DeviceUID not in {d.DeviceUID for d in devices}


def test_every_reference_is_evidence_and_every_picture_is_sent(objects: Objects) -> None:
    *pictures, report = objects
    evidence = {
        (instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID)
        for study in report.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    referenced = {
        (
            item.ReferencedSOPSequence[0].ReferencedSOPClassUID,
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID,
        )
        for item in walk(report)
        if item.ValueType in ("IMAGE", "COMPOSITE")
    }
    sent = {(ds.SOPClassUID, ds.SOPInstanceUID) for ds in pictures}
    assert referenced <= evidence
    assert sent <= referenced
    marks = named_by(groups(report)[0], codes.SELECTED_BY)
    assert len(evidence) == len(sent) + 12 + len(marks)


def test_the_flags_call_it_a_complete_unreviewed_research_result(report: Dataset) -> None:
    assert report.CompletionFlag == "COMPLETE"
    assert report.CompletionFlagDescription == "Automated result, not reviewed"
    assert report.VerificationFlag == "UNVERIFIED"
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert report.ContentQualification == "RESEARCH"


def test_disclaimer_model_statements_and_limits_are_said(objects: Objects) -> None:
    *pictures, report = objects
    assert text(report, codes.COMMENT)[0] == DISCLAIMER
    assert text(report, codes.MODEL_STATEMENT) == [DEMONSTRATION]
    assert text(report, codes.LIMITATION) == [*LIMITATIONS, LIMIT]
    assert text(report, codes.INPUT_QUALITY) == ["Slices are 8.0 mm thick; the model expects 5.0 mm."]
    for picture in pictures:
        assert "RESEARCH USE ONLY - NOT FOR DIAGNOSIS" in picture.ImageComments
        assert DEMONSTRATION in picture.ImageComments
        assert picture.BurnedInAnnotation == "NO"


@pytest.mark.parametrize("variant", ["candidates only", "no target", "abstained"])
def test_without_a_score_there_is_no_class_and_no_number_but_a_reason(variant: str) -> None:
    report = result(variant)[-1]
    concepts = {concept(item) for item in walk(report)}
    assert not concepts & {codes.PREDICTED_CLASS.value, codes.PROBABILITY.value, codes.THRESHOLD.value}
    assert "no probability is given" in text(report, codes.COMMENT)[-1]


def test_an_abstention_says_what_it_is_for() -> None:
    assert text(result("abstained")[-1], codes.NOT_ASSESSED) == [
        "Slices are 8.0 mm thick; the model expects 5.0 mm."
    ]
    assert text(result("scored")[-1], codes.NOT_ASSESSED) == []


def test_an_input_quality_finding_is_coded(report: Dataset) -> None:
    (item,) = named_by(groups(report)[0], codes.QUALITY_FINDING)
    assert item.ConceptCodeSequence[0].CodeValue == codes.QUALITY_FINDINGS[QualityCode.SLICE_THICKNESS].value
    assert set(codes.QUALITY_FINDINGS) == set(QualityCode)


def test_consistency_and_calibration_are_said_beside_the_probability() -> None:
    report = result("calibrated")[-1]
    numbers = {
        concept(i): str(i.MeasuredValueSequence[0].NumericValue) for i in walk(report) if i.ValueType == "NUM"
    }
    assert (numbers[codes.SPREAD.value], numbers[codes.FLIP.value]) == ("15.25", "3.12")
    assert text(report, codes.CALIBRATION) == ["Calibrated at patient level on 120 patients of one site."]
    assert text(result("scored")[-1], codes.CALIBRATION) == []


def test_an_unconfirmed_candidate_is_named_so_on_every_object() -> None:
    card, *pictures, report = result("scored")
    policy = named_by(groups(report)[0], codes.SLICE_SELECTION)[0].ConceptCodeSequence[0]
    assert policy.CodeMeaning == "Unconfirmed automatic candidate"
    assert "unconfirmed automatic candidate" in text(report, codes.COMMENT)[1]
    assert all("unconfirmed target" in picture.ImageComments for picture in pictures)
    assert policy.CodeMeaning in card.ImageComments


def test_a_finding_stands_only_where_a_target_was_marked() -> None:
    found = {
        variant: {
            item.ConceptCodeSequence[0].CodeValue
            for item in walk(result(variant)[-1])
            if concept(item) == "121071"
        }
        for variant in ("scored", "no target", "marked nodule", "marked mass")
    }
    assert found == {
        "scored": set(),
        "no target": set(),
        "marked nodule": {codes.NODULE.value},
        "marked mass": {codes.MASS.value},
    }


def test_the_result_refers_to_its_summary_card(objects: Objects) -> None:
    (item,) = named_by(groups(objects[-1])[0], codes.SUMMARY_CARD)
    assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == objects[0].SOPInstanceUID


def test_the_annotation_that_selected_the_slices_is_named_and_no_other() -> None:
    keys, segments, automatic = (
        named_by(groups(result(variant)[-1])[0], codes.SELECTED_BY)
        for variant in ("marked by key objects", "marked by segmentation", "scored")
    )
    assert [item.ValueType for item in keys] == ["COMPOSITE"]
    assert keys[0].ReferencedSOPSequence[0].ReferencedSOPClassUID == KeyObjectSelectionDocumentStorage
    assert [item.ValueType for item in segments] == ["IMAGE"]
    assert segments[0].ReferencedSOPSequence[0].ReferencedSegmentNumber == 2
    assert automatic == []


def test_a_later_report_names_the_earlier_one() -> None:
    (study,) = result("marked by key objects")[-1].PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (document,) = series.ReferencedSOPSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (STUDY_UID, EARLIER.series_instance_uid)
    assert document.ReferencedSOPInstanceUID == EARLIER.sop_instance_uid
    assert document.ReferencedSOPClassUID == Comprehensive3DSRStorage
    assert "PredecessorDocumentsSequence" not in result("scored")[-1]


def test_an_annotation_without_its_header_is_refused() -> None:
    headers = ct_headers()
    analysis = replace(analysis_of(headers), selected_by=Mark("1.2.3", None))
    with pytest.raises(SourceMissing, match=r"annotation 1\.2\.3, have 0"):
        encode(analysis, headers, PROVENANCE)


def test_a_card_lies_on_no_slice(objects: Objects) -> None:
    card = objects[0]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"):
        assert keyword not in card
    assert card["PatientOrientation"].is_empty
    assert {i.SpatialLocationsPreserved for i in card.get("SourceImageSequence", ())} <= {"NO"}


def test_heat_is_a_visual_explanation_and_an_outline_is_not() -> None:
    for variant, used, unused in (
        ("scored", codes.VISUAL_EXPLANATION, codes.ILLUSTRATION),
        ("candidates only", codes.ILLUSTRATION, codes.VISUAL_EXPLANATION),
    ):
        concepts = [concept(item) for item in walk(result(variant)[-1])]
        assert concepts.count(used.value) == 5
        assert unused.value not in concepts


def test_a_slab_refers_to_all_its_slices() -> None:
    report = result("slabs")[-1]
    key_slice = next(g for g in groups(report) if named_by(g, "112039")[0].TextValue == "Key slice 6")
    number = named_by(key_slice, codes.PROBABILITY)[0]
    assert len(number.ContentSequence) == 3
    assert len(named_by(key_slice, "121112")) == 3


def test_the_private_scheme_is_identified(report: Dataset) -> None:
    schemes = {item.CodingSchemeDesignator for item in report.CodingSchemeIdentificationSequence}
    assert schemes == {codes.PRIVATE_SCHEME}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_keeps_its_bytes_in_every_script(name: str) -> None:
    sources = named(name)
    for ds in encoded(named(name)):
        copied, original = ds.get_item("PatientName"), sources[0].get_item("PatientName")
        assert copied is not None
        assert original is not None
        assert copied.value == original.value
        assert ds.SpecificCharacterSet == sources[0].SpecificCharacterSet
        assert ds.PatientName == NAMES[name][1]


def test_patient_and_study_are_those_of_the_source() -> None:
    source = headers_with(PatientWeight="61.5", IssuerOfPatientID="Hospital", PatientIdentityRemoved="NO")[0]
    for ds in encoded(
        headers_with(PatientWeight="61.5", IssuerOfPatientID="Hospital", PatientIdentityRemoved="NO")
    ):
        for keyword in [
            "PatientID",
            "PatientBirthDate",
            "PatientSex",
            "StudyInstanceUID",
            "StudyDate",
            "StudyTime",
            "AccessionNumber",
            "StudyID",
            "StudyDescription",
            "ReferringPhysicianName",
            "PatientWeight",
            "IssuerOfPatientID",
            "PatientIdentityRemoved",
        ]:
            assert ds[keyword].value == source[keyword].value
