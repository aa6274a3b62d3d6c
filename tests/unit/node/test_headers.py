"""Reading the facts of an image, and what its header may leave out."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from node.headers import NotDicom, read_header


def _file(folder: Path, **attributes: object) -> Path:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, "1.2.3"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2", "1.2.1"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(folder / "image.dcm", enforce_file_format=True)
    return folder / "image.dcm"


@pytest.mark.parametrize(
    ("attributes", "age_years"),
    [
        ({"PatientAge": "053Y"}, 53.0),
        ({"PatientAge": "018M"}, 1.5),
        ({"PatientBirthDate": "19661125", "StudyDate": "20261124"}, 59.9999),
        ({"PatientBirthDate": "20060101", "StudyDate": "20060101"}, None),
        ({"PatientAge": "000Y"}, None),
        ({"PatientAge": ""}, None),
        ({}, None),
    ],
)
def test_the_age_is_read_or_unknown(
    tmp_path: Path, attributes: dict[str, object], age_years: float | None
) -> None:
    expected = None if age_years is None else pytest.approx(age_years, abs=0.01)
    assert read_header(_file(tmp_path, **attributes)).age_years == expected


def test_an_image_with_no_more_than_its_uids_is_read(tmp_path: Path) -> None:
    header = read_header(_file(tmp_path))
    assert (header.modality, header.kernel, header.position_mm, header.row_direction) == ("", "", None, None)


def test_a_kernel_of_several_values_is_one_name(tmp_path: Path) -> None:
    assert read_header(_file(tmp_path, ConvolutionKernel=["Br40d", "3"])).kernel == "Br40d\\3"


@pytest.mark.parametrize("text", ["nan", "inf", "0", "thick"])
def test_a_thickness_that_is_no_number_of_mm_is_unknown(tmp_path: Path, text: str) -> None:
    path = _file(tmp_path, SliceThickness="5")
    path.write_bytes(path.read_bytes().replace(b"DS\x02\x005 ", b"DS\x06\x00" + text.encode().ljust(6)))
    assert read_header(path).slice_thickness_mm is None


def test_two_patients_differ_and_one_is_not_named(tmp_path: Path) -> None:
    first = read_header(_file(tmp_path, PatientID="A1", PatientName="Phantom^One")).patient_key
    second = read_header(_file(tmp_path, PatientID="A2", PatientName="Phantom^One")).patient_key
    assert first != second
    assert "A1" not in first


def test_a_file_that_ends_early_is_no_image(tmp_path: Path) -> None:
    path = _file(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(NotDicom):
        read_header(path)
