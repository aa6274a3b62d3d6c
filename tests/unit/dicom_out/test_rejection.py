from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_out.encode import content, encode
from dicom_out.identity import NaiveInstant, ResultName, node_device_uid
from dicom_out.rejection import NotOurResult, Reason, rejection_note
from dicom_out.validation import note_findings
from inference.annotation_files import File, summarise
from node.annotations import Rules, judge
from node.headers import read_header
from tests.analyses import EVERYTHING, PROVENANCE, SERIES_UID, STUDY_UID, analysis_of
from tests.conformance.sources import SOFTWARE, headers, read

NAME = ResultName(STUDY_UID, SERIES_UID, PROVENANCE)
AT = PROVENANCE.at + timedelta(days=3)


@cache
def result() -> tuple[bytes, ...]:
    sources = headers("korean")
    made = encode(analysis_of(sources), sources, PROVENANCE, **EVERYTHING)
    return tuple(content(ds) for ds in made)


def objects() -> list[Dataset]:
    return [read(file) for file in result()]


def note(reason: Reason = Reason.QUALITY, at: datetime = AT, software_version: str = SOFTWARE) -> Dataset:
    """As it is read from its file."""
    return read(content(rejection_note(objects(), reason, NAME, at, software_version)))


def _uids(every: list[Dataset]) -> set[str]:
    return {str(ds.SOPInstanceUID) for ds in every}


def _of_type(ds: Dataset, *value_types: str) -> list[Dataset]:
    return [item for item in ds.ContentSequence if item.ValueType in value_types]


@pytest.mark.parametrize(
    ("reason", "code", "meaning"),
    [
        (Reason.QUALITY, "113001", "Rejected for Quality Reasons"),
        (Reason.PATIENT_SAFETY, "113037", "Rejected for Patient Safety Reasons"),
    ],
)
def test_its_title_says_why(reason: Reason, code: str, meaning: str) -> None:
    title = note(reason).ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning) == (code, "DCM", meaning)


def test_no_reason_is_that_of_an_archive() -> None:
    """Retention (113039) and the worklist (113038) are not ours to speak of."""
    assert {reason.document_title.value for reason in Reason} == {"113001", "113037"}


def test_it_rejects_exactly_the_objects_as_what_they_are() -> None:
    """Archives reject what the evidence lists, viewers hide what the content names."""
    ds = note()
    (study,) = ds.CurrentRequestedProcedureEvidenceSequence
    listed = {
        (series.SeriesInstanceUID, sop.ReferencedSOPClassUID, sop.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    }
    assert listed == {(o.SeriesInstanceUID, o.SOPClassUID, o.SOPInstanceUID) for o in objects()}
    assert study.StudyInstanceUID == STUDY_UID
    images, others = (
        {item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in _of_type(ds, kind)}
        for kind in ("IMAGE", "COMPOSITE")
    )
    assert images == _uids([o for o in objects() if "Rows" in o])
    assert others == _uids([o for o in objects() if "Rows" not in o])
    assert not any("ConceptNameCodeSequence" in item for item in _of_type(ds, "IMAGE", "COMPOSITE"))


def test_a_part_of_a_result_can_be_withdrawn() -> None:
    some = objects()[2:4]
    ds = rejection_note(some, Reason.QUALITY, NAME, AT, SOFTWARE)
    assert len(_of_type(ds, "IMAGE", "COMPOSITE")) == 2
    assert note_findings(read(content(ds)), objects()[2:4]) == ()


def test_the_node_is_its_author_and_no_person() -> None:
    ds = note()
    said = {
        item.ConceptNameCodeSequence[0].CodeValue: item for item in _of_type(ds, "CODE", "UIDREF", "TEXT")
    }
    assert said["121005"].ConceptCodeSequence[0].CodeMeaning == "Device"
    assert said["121012"].UID == ds.DeviceUID == node_device_uid(PROVENANCE.installation_id)
    assert "121008" not in said
    (device,) = ds.ContributingEquipmentSequence
    assert (device.DeviceUID, device.SoftwareVersions) == (ds.DeviceUID, SOFTWARE)
    assert "Do not use them" in said["113012"].TextValue


def test_it_is_of_the_instant_it_was_written_at_in_the_offset_of_the_study() -> None:
    ds = note(at=datetime(2026, 12, 1, 23, 59, 58, tzinfo=UTC))
    assert (ds.ContentDate, ds.ContentTime) == ("20261201", "235958.000000")


def test_patient_and_study_are_those_of_the_objects_to_the_byte() -> None:
    ds, source = note(), objects()[-1]
    for keyword in ("PatientName", "PatientID", "StudyDescription", "SpecificCharacterSet", "StudyDate"):
        theirs, ours = source.get_item(keyword), ds.get_item(keyword)
        assert theirs is not None
        assert ours is not None
        assert ours.value == theirs.value


def test_the_same_facts_give_the_same_bytes_in_whatever_order() -> None:
    again = rejection_note(objects()[::-1], Reason.QUALITY, NAME, AT, SOFTWARE)
    assert content(again) == content(note())


def test_any_other_fact_gives_other_uids() -> None:
    notes = [
        note(),
        note(Reason.PATIENT_SAFETY),
        note(at=AT + timedelta(microseconds=1)),
        note(software_version="0.3.0"),
        rejection_note(objects()[1:], Reason.QUALITY, NAME, AT, SOFTWARE),
        rejection_note(
            objects(),
            Reason.QUALITY,
            replace(NAME, provenance=replace(PROVENANCE, result_digest="1" * 64)),
            AT,
            SOFTWARE,
        ),
    ]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert len({ds[keyword].value for ds in notes}) == len(notes)
    elsewhere = note(at=AT.astimezone(timezone(timedelta(hours=9))))
    assert elsewhere.SOPInstanceUID == note().SOPInstanceUID


def _of_another_device(ds: Dataset) -> None:
    ds.DeviceUID = "1.2.3"


def _of_another_study(ds: Dataset) -> None:
    ds.StudyInstanceUID = "1.2.3"


@pytest.mark.parametrize(
    ("change", "why"), [(_of_another_device, "not made by this node"), (_of_another_study, "not of study")]
)
def test_what_is_not_ours_or_of_another_study_is_refused_by_name(
    change: Callable[[Dataset], None], why: str
) -> None:
    every = objects()
    change(every[3])
    with pytest.raises(NotOurResult, match=f"{every[3].SOPInstanceUID} .*{why}"):
        rejection_note(every, Reason.QUALITY, NAME, AT, SOFTWARE)


def test_nothing_is_no_note_and_an_instant_needs_its_offset() -> None:
    with pytest.raises(NotOurResult, match="no object"):
        rejection_note([], Reason.QUALITY, NAME, AT, SOFTWARE)
    with pytest.raises(NaiveInstant):
        rejection_note(objects(), Reason.QUALITY, NAME, AT.replace(tzinfo=None), SOFTWARE)


@pytest.mark.parametrize("reason", Reason)
def test_our_own_reader_takes_it_for_a_rejection_note_and_for_no_selection(
    reason: Reason, tmp_path: Path
) -> None:
    path = tmp_path / "note.dcm"
    path.write_bytes(content(note(reason)))
    ds = note(reason)
    summary = summarise(File(path, str(ds.SOPInstanceUID), str(ds.SOPClassUID)))
    assert summary.withdraws == _uids(objects())
    assert summary.marks_nothing == "it is a rejection note"
    assert summary.by_algorithm is False  # it has no marks to ask of


def test_a_note_that_the_pacs_routes_back_to_us_is_known_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "note.dcm"
    path.write_bytes(content(note()))
    header = read_header(path)
    rules = Rules(frozenset({header.patient_key}), frozenset(), algorithms=True)
    judgement = judge([header], rules)
    assert judgement.counting == judgement.withdrawn == frozenset()
    assert "result of this product" in judgement.findings[0].detail


@pytest.mark.parametrize("reason", Reason)
def test_the_check_finds_nothing_in_a_note(reason: Reason) -> None:
    assert note_findings(note(reason), objects()) == ()


def _without(keyword: str) -> Callable[[Dataset], None]:
    return lambda ds: ds.__delattr__(keyword)


def _with(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, keyword, value)


def _title(value: str) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodeValue", value)


def _said(code: str, keyword: str, value: object) -> Callable[[Dataset], None]:
    def plant(ds: Dataset) -> None:
        for item in _of_type(ds, "CODE", "UIDREF", "TEXT"):
            if item.ConceptNameCodeSequence[0].CodeValue == code:
                setattr(item, keyword, value)

    return plant


def _renamed(code: str, other: str) -> Callable[[Dataset], None]:
    def plant(ds: Dataset) -> None:
        for item in _of_type(ds, "TEXT"):
            if item.ConceptNameCodeSequence[0].CodeValue == code:
                item.ConceptNameCodeSequence[0].CodeValue = other

    return plant


def _refers_to(keyword: str, value: str) -> Callable[[Dataset], None]:
    return lambda ds: setattr(_of_type(ds, "IMAGE")[0].ReferencedSOPSequence[0], keyword, value)


def _unlisted(ds: Dataset) -> None:
    study = ds.CurrentRequestedProcedureEvidenceSequence[0]
    study.ReferencedSeriesSequence = study.ReferencedSeriesSequence[1:]


def _unnamed(ds: Dataset) -> None:
    ds.ContentSequence = ds.ContentSequence[:-1]


def _purposeful(ds: Dataset) -> None:
    _of_type(ds, "IMAGE")[0].ConceptNameCodeSequence = ds.ConceptNameCodeSequence


@pytest.mark.parametrize(
    ("plant", "where"),
    [
        (_title("113009"), "ConceptNameCodeSequence"),
        (_title("113039"), "ConceptNameCodeSequence"),
        (_without("ContentDate"), "ContentDate"),
        (_without("PatientName"), "PatientName"),
        (_without("ReferencedPerformedProcedureStepSequence"), "ReferencedPerformedProcedureStepSequence"),
        (_without("CurrentRequestedProcedureEvidenceSequence"), "CurrentRequestedProcedureEvidenceSequence"),
        (_without("ContentQualification"), "ContentQualification"),
        (_with("Modality", "SR"), "Modality"),
        (_with("SOPClassUID", "1.2.3"), "SOPClassUID"),
        (_with("PatientID", "P-4712"), "PatientID"),
        (_with("StudyInstanceUID", "1.2.3"), "StudyInstanceUID"),
        (_with("StudyDescription", "Another"), "StudyDescription"),
        (_with("SeriesDescription", "Rejected"), "SeriesDescription"),
        (_with("ContentTime", "9 o'clock"), "ContentTime"),
        (_with("SeriesInstanceUID", objects()[0].SeriesInstanceUID), "SeriesInstanceUID"),
        (_said("121012", "UID", "1.2.3"), "observer"),
        (_renamed("121013", "121008"), "observer"),
        (_said("113012", "TextValue", "of P-4711"), "TextValue"),
        (_refers_to("ReferencedSOPInstanceUID", "1.2.3"), "ReferencedSOPSequence"),
        (_refers_to("ReferencedSOPClassUID", KeyObjectSelectionDocumentStorage), "ReferencedSOPSequence"),
        (_unlisted, "ReferencedSOPSequence"),
        (_unnamed, "ContentSequence"),
        (_purposeful, "Rejected for Quality Reasons"),
    ],
)
def test_a_fault_planted_in_a_note_is_found(plant: Callable[[Dataset], None], where: str) -> None:
    ds = note()
    with disable_value_validation():
        plant(ds)
    found = note_findings(ds, objects())
    assert any(where in finding.where for finding in found), found
    assert not any(word in str(finding) for finding in found for word in ("4711", "4712", "Hong"))


def test_an_object_more_or_less_than_those_withdrawn_is_found() -> None:
    unknown = {f.given for f in note_findings(note(), objects()[1:])}
    assert unknown == {str(objects()[0].SOPInstanceUID)}
    fewer = rejection_note(objects()[1:], Reason.QUALITY, NAME, AT, SOFTWARE)
    assert {f.where for f in note_findings(read(content(fewer)), objects())} == {"ContentSequence"}
