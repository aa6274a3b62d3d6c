"""What the validators of other people say about every object that we make."""

from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_out.encode import encode, write
from tests.analyses import PROVENANCE, analysis_of
from tests.conformance.validators import dciodvfy, dsr2html, dsrdump, pixelmed
from tests.conformance.variants import VARIANTS, encoded, headers_of_sex, result

TEMPLATE_VARIANTS = [
    "scored", "candidates only", "no target", "marked nodule", "slabs", "abstained", "calibrated", "marked slices",
    "marked by key objects", "marked by segmentation",
]  # fmt: skip


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
@pytest.mark.parametrize("variant", TEMPLATE_VARIANTS)
def test_pixelmed_finds_no_error_in_the_template(variant: str, tmp_path: Path) -> None:
    assert pixelmed(write(result(variant)[-1:], tmp_path)[0]) == []


@pytest.mark.peers
@pytest.mark.parametrize("variant", VARIANTS)
def test_dcmtk_reads_and_renders_the_report(variant: str, tmp_path: Path) -> None:
    report = write(result(variant)[-1:], tmp_path)[0]
    assert "Oncology Measurement Report" in dsrdump(report)
    assert "RESEARCH USE ONLY" in dsr2html(report, tmp_path / "report.html")
