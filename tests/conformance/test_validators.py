"""What the validators of other people say about every object that we make."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID, Comprehensive3DSRStorage

from dicom_out.encode import encode, write
from dicom_out.identity import ResultName
from dicom_out.report_classes import CLASSES, in_class
from tests.analyses import PROVENANCE, SERIES_UID, STUDY_UID, analysis_of
from tests.conformance.validators import dciodvfy, dsr2html, dsrdump, pixelmed
from tests.conformance.variants import LATER, VARIANTS, encoded, headers_of_sex, result

PLAIN, PLAINER = CLASSES[1:]
TEMPLATE_VARIANTS = {  # the content is the same in every class: each is looked at in one
    "scored": Comprehensive3DSRStorage,
    "candidates only": PLAIN,
    "no target": PLAINER,
    "marked nodule": PLAINER,
    "slabs": PLAIN,
    "abstained": Comprehensive3DSRStorage,
    "calibrated": PLAINER,
    "marked slices": PLAIN,
    "marked by key objects": PLAINER,
    "marked by segmentation": PLAIN,
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_dciodvfy_finds_nothing(variant: str, tmp_path: Path) -> None:
    paths = write(result(variant), tmp_path)
    assert {path.name: found for path in paths if (found := dciodvfy(path))} == {}


@pytest.mark.parametrize("sex", [b"U ", b"N ", b"m ", b"female"])
def test_of_an_odd_sex_only_the_value_itself_is_found(sex: bytes, tmp_path: Path) -> None:
    paths = write(encoded(headers_of_sex(sex)), tmp_path)
    assert all("PatientSex" in line for path in paths for line in dciodvfy(path))
    for path in paths:
        written = dcmread(path).get_item("PatientSex")
        assert written is not None
        assert written.value == sex


@pytest.mark.realdata
def test_of_a_real_study_only_what_its_own_header_has_is_found(real_data: Path, tmp_path: Path) -> None:
    files = sorted((real_data / "chest/lung_dx_A0002/B70f").glob("*.dcm"))
    headers = [dcmread(file, stop_before_pixels=True) for file in files]
    paths = write(encode(analysis_of(headers), headers, PROVENANCE), tmp_path)
    own = set(dciodvfy(files[0]))  # a name without components
    assert {line for path in paths for line in dciodvfy(path)} <= own


@pytest.mark.peers
@pytest.mark.parametrize(("variant", "sop_class_uid"), TEMPLATE_VARIANTS.items())
def test_pixelmed_finds_no_error_in_the_template(variant: str, sop_class_uid: UID, tmp_path: Path) -> None:
    assert pixelmed(_report_as(sop_class_uid, variant, tmp_path)) == []


@pytest.mark.parametrize("variant", TEMPLATE_VARIANTS)
@pytest.mark.parametrize("sop_class_uid", CLASSES[1:])
def test_dciodvfy_finds_nothing_in_the_other_classes(
    variant: str, sop_class_uid: UID, tmp_path: Path
) -> None:
    assert dciodvfy(_report_as(sop_class_uid, variant, tmp_path)) == []


def _report_as(sop_class_uid: UID, variant: str, folder: Path) -> Path:
    report = result(variant)[-1]
    provenance = LATER if "PredecessorDocumentsSequence" in report else PROVENANCE
    name = ResultName(STUDY_UID, SERIES_UID, provenance)
    (path,) = write([in_class(report, sop_class_uid, name)], folder)
    return path


@pytest.mark.peers
@pytest.mark.parametrize("variant", VARIANTS)
def test_dcmtk_reads_and_renders_the_report(variant: str, tmp_path: Path) -> None:
    report = write(result(variant)[-1:], tmp_path)[0]
    assert "Oncology Measurement Report" in dsrdump(report)
    assert "RESEARCH USE ONLY" in dsr2html(report, tmp_path / "report.html")
