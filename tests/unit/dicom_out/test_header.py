from io import BytesIO

import pytest
from highdicom._standard_utils import get_module_attribute_map
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_out.header import PATIENT_AND_STUDY, TYPE_2, SourceMissing, SourceSeries, copy_patient_and_study
from tests.analyses import ct_header, ct_headers


def as_received(ds: Dataset, syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    """The header after it was written and read, so that its elements are bytes still."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return dcmread(DicomBytesIO(buffer.getvalue()))


def test_the_copied_attributes_are_those_of_the_standard_s_patient_and_study_modules() -> None:
    """highdicom carries the tables of PS3.3; nobody should have to compare a hundred names by eye."""
    modules = get_module_attribute_map()
    ours = ("patient", "general-study", "patient-study", "clinical-trial-subject", "clinical-trial-study")
    standard = {str(a["keyword"]) for module in ours for a in modules[module] if not a["path"]}
    assert set(PATIENT_AND_STUDY) == standard | {"SpecificCharacterSet", "TimezoneOffsetFromUTC"}


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_patient_and_study_are_copied_from_every_transfer_syntax(syntax: UID) -> None:
    source, target = ct_header(0), Dataset()
    source.PregnancyStatus = 4
    source.PatientSize = "1.68"
    source.ProcedureCodeSequence = [Dataset()]
    source.ProcedureCodeSequence[0].CodeMeaning = "CT"
    copy_patient_and_study(as_received(source, syntax), target)
    for keyword in (*TYPE_2, "PregnancyStatus", "PatientSize", "ProcedureCodeSequence", "StudyDescription"):
        assert target[keyword] == source[keyword]


def test_text_keeps_the_bytes_it_came_with() -> None:
    source, target = Dataset(), Dataset()
    source.set_original_encoding(False, True, "iso8859")
    name = b"M\xfcller ^J\xf6rg"  # no SpecificCharacterSet says what these bytes are
    source[0x00100010] = RawDataElement(Tag(0x00100010), "PN", len(name), name, 0, False, True)
    copy_patient_and_study(source, target)
    copied = target.get_item("PatientName")
    assert isinstance(copied, RawDataElement)
    assert copied.value == name


def test_padding_with_nul_becomes_a_space() -> None:
    source, target = Dataset(), Dataset()
    source[0x00100040] = RawDataElement(Tag(0x00100040), "CS", 2, b"M\0", 0, False, True)
    copy_patient_and_study(source, target)
    copied = target.get_item("PatientSex")
    assert isinstance(copied, RawDataElement)
    assert copied.value == b"M "


def test_an_unknown_type_2_attribute_becomes_an_empty_one() -> None:
    target = Dataset()
    target.PatientName = "Somebody^Else"
    copy_patient_and_study(Dataset(), target)
    assert all(target[keyword].is_empty for keyword in TYPE_2)
    assert len(target) == len(TYPE_2)


def test_a_copy_does_not_follow_later_changes_of_its_source() -> None:
    source, target = ct_header(0), Dataset()
    source.OtherPatientIDsSequence = [Dataset()]
    source.OtherPatientIDsSequence[0].PatientID = "before"
    copy_patient_and_study(source, target)
    source.OtherPatientIDsSequence[0].PatientID = "after"
    assert target.OtherPatientIDsSequence[0].PatientID == "before"


def test_a_slice_without_a_header_is_named() -> None:
    with pytest.raises(SourceMissing, match=r"1\.2\.3"):
        SourceSeries.of(ct_headers())["1.2.3"]
    with pytest.raises(SourceMissing):
        SourceSeries.of([])
