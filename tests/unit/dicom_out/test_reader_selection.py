import subprocess
import sysconfig
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_out.reader_selection import reader_selection
from inference.annotation_files import File, summarise
from tests.analyses import ct_headers

AT = datetime(2024, 3, 2, 16, 0)  # noqa: DTZ001 - DICOM's content date and time have no zone
SLICES = ct_headers(10, rows=64, columns=64)


def _bytes(ds: Dataset) -> bytes:
    content = BytesIO()
    ds.save_as(content, enforce_file_format=True)
    return content.getvalue()


def test_the_same_slices_and_instant_give_the_same_bytes() -> None:
    assert _bytes(reader_selection(SLICES[3:6], at=AT)) == _bytes(reader_selection(SLICES[3:6], at=AT))
    others = {reader_selection(SLICES[3:k], at=AT).SOPInstanceUID for k in (4, 5, 6)}
    assert len(others) == 3


def test_it_is_of_the_patient_and_study_of_its_slices() -> None:
    ds, ct = reader_selection(SLICES[3:6], at=AT), SLICES[0]
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate", "AccessionNumber"):
        assert ds[keyword].value == ct[keyword].value


def test_a_person_made_it_and_no_device_of_ours(tmp_path: Path) -> None:
    ds = reader_selection(SLICES[3:6], at=AT)
    path = tmp_path / "marks.dcm"
    path.write_bytes(_bytes(ds))
    summary = summarise(File(path, ds.SOPInstanceUID, ds.SOPClassUID))
    assert not summary.by_algorithm
    assert not summary.device_uids
    assert summary.model_name == "Synthetic reader"
    assert summary.marks_nothing == ""


def test_dciodvfy_finds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "marks.dcm"
    path.write_bytes(_bytes(reader_selection(SLICES[3:6], at=AT)))
    dciodvfy = Path(sysconfig.get_path("scripts")) / "dciodvfy"
    said = subprocess.run([dciodvfy, "-new", path], capture_output=True, text=True, check=False)
    assert said.returncode == 0
    assert "Error" not in said.stdout + said.stderr


def test_a_selection_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="At least one"):
        reader_selection([], at=AT)
