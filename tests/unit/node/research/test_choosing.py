"""Which study of a patient a dataset takes."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from inference.dataset.sources import Images, Missing, Reason, acquisition
from inference.dataset.table import Row
from inference.marks.slice_lists import Listed
from inference.phantom import write_study
from inference.synthetic.study import derived_uid
from node.research.choosing import images_of
from node.research.studies import files_in, read_studies
from tests.models import QUICK_SETTINGS
from tests.small_cohort import phantom

PATIENT = "PHANTOM-000000"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return tuple(write_study(phantom(0), tmp_path_factory.mktemp("studies") / "first"))


def again(files: Sequence[Path], name: str, *, same_study: bool = False, **header: str) -> tuple[Path, ...]:
    """The same images once more, as another series with that in its header."""
    made = []
    for index, file in enumerate(files):
        ds = dcmread(file)
        if not same_study:
            ds.StudyInstanceUID = derived_uid(name)
        ds.SeriesInstanceUID, uid = derived_uid(name, "series"), derived_uid(name, index)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(uid)
        for keyword, value in header.items():
            setattr(ds, keyword, value)
        path = file.parent.parent / name / file.name
        path.parent.mkdir(exist_ok=True)
        ds.save_as(path, enforce_file_format=True)
        made.append(path)
    return tuple(made)


def chosen(*studies: Sequence[Path], acquired: date | None = None) -> Images | Missing:
    """With one slice of each in a list."""
    middle = [dcmread(files[len(files) // 2], stop_before_pixels=True).SOPInstanceUID for files in studies]
    found = read_studies(
        files_in(file for files in studies for file in files), [Listed(str(uid)) for uid in middle]
    )
    row = Row(number=2, patient_id=PATIENT, label="PIMA", acquired=acquired)
    return images_of(row, found, QUICK_SETTINGS, model_thickness_mm=5.0)


def test_of_two_marked_studies_that_of_the_tables_day_is_taken(first: tuple[Path, ...]) -> None:
    later = again(first, "later", AcquisitionDate="20300102", StudyDate="20300102")
    assert isinstance(chosen(first, later), Missing)
    of_day = chosen(first, later, acquired=date(2030, 1, 2))
    assert isinstance(of_day, Images)
    assert {path.parent.name for path in of_day.slices} == {"later"}
    day = acquisition(first[0]).on
    assert isinstance(chosen(first, later, acquired=day), Images)


def test_a_study_of_two_patients_is_no_case_of_either(first: tuple[Path, ...]) -> None:
    """As where a PACS corrected an identifier between two series."""
    corrected = again(
        first, "corrected", same_study=True, PatientID="PHANTOM-999999", ConvolutionKernel="B30f"
    )
    assert chosen(first, corrected) == Missing(Reason.TWO_PATIENTS, "2 patients")
