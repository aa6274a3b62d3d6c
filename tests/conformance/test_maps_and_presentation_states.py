"""The Parametric Map and the presentation state: what validators say, and that all they refer to is there."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage, ParametricMapStorage

from dicom_out.encode import content, encode, write
from dicom_out.validation import findings
from inference.findings import Analysis, SlicePolicy
from tests.analyses import PROVENANCE, analysis_of, ct_headers
from tests.conformance.sources import read
from tests.conformance.validators import dciodvfy
from tests.conformance.variants import NAMES, headers_with, headers_without, named, slabs, slices_only
from tests.peers import require

MAP, STATE = ParametricMapStorage, GrayscaleSoftcopyPresentationStateStorage
Headers = list[Dataset]
Change = Callable[[Analysis], Analysis]


def _same(analysis: Analysis) -> Analysis:
    return analysis


VARIANTS: dict[str, tuple[Callable[[], Headers], Change, list[str]]] = {
    "scored": (ct_headers, _same, [MAP, STATE]),
    "slabs": (ct_headers, slabs, [MAP, STATE]),
    "marked slices": (ct_headers, slices_only, [MAP, STATE]),
    "candidates only": (ct_headers, Analysis.without_score, [STATE]),
    "bare": (lambda: headers_without("SliceThickness", "PatientBirthDate", "StudyID"), _same, [MAP, STATE]),
    "no frame of reference": (lambda: headers_without("FrameOfReferenceUID"), _same, [STATE]),
    "no rescale": (lambda: headers_without("RescaleSlope", "RescaleIntercept"), _same, [MAP, STATE]),
    "oblong pixels": (lambda: headers_with(PixelSpacing=[0.7, 0.9]), _same, [MAP, STATE]),
    "lossy": (
        lambda: headers_with(LossyImageCompression="01", LossyImageCompressionRatio="10.5"),
        _same,
        [MAP, STATE],
    ),
    **{name: (lambda name=name: named(name), _same, [MAP, STATE]) for name in NAMES},  # type: ignore[misc]
}


def _made(variant: str) -> tuple[Headers, list[Dataset]]:
    headers, change, _ = VARIANTS[variant]
    sources = headers()
    made = encode(
        change(analysis_of(sources)), sources, PROVENANCE, parametric_map=True, presentation_state=True
    )
    return sources, list(made)


def _asked_for(objects: list[Dataset]) -> list[Dataset]:
    return [ds for ds in objects if ds.SOPClassUID in (MAP, STATE)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_found_in_them(variant: str, tmp_path: Path) -> None:
    sources, objects = _made(variant)
    asked_for = _asked_for(objects)
    assert [ds.SOPClassUID for ds in asked_for] == VARIANTS[variant][2]
    assert [found for path in write(asked_for, tmp_path) for found in dciodvfy(path)] == []
    assert findings([read(content(ds)) for ds in objects], sources) == ()


@pytest.mark.parametrize("variant", ["scored", "slabs", "japanese"])
def test_two_encodings_are_the_same_bytes(variant: str) -> None:
    first, second = (_made(variant)[1] for _ in range(2))
    assert [content(ds) for ds in first] == [content(ds) for ds in second]


def test_the_report_lists_both_as_evidence() -> None:
    _, objects = _made("scored")
    listed = {
        str(item.ReferencedSOPInstanceUID)
        for study in objects[-1].CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert {str(ds.SOPInstanceUID) for ds in _asked_for(objects)} <= listed


def test_neither_is_made_unasked_or_without_a_target() -> None:
    headers = ct_headers()
    assert _asked_for(list(encode(analysis_of(headers), headers, PROVENANCE))) == []
    nothing = analysis_of(headers, policy=SlicePolicy.NONE)
    made = encode(nothing, headers, PROVENANCE, parametric_map=True, presentation_state=True)
    assert _asked_for(list(made)) == []


@pytest.mark.peers
def test_dcmtk_reads_both(tmp_path: Path) -> None:
    for path in write(_asked_for(_made("scored")[1]), tmp_path):
        subprocess.run([require("dcmdump"), "-q", str(path)], check=True, capture_output=True, timeout=60)


@pytest.mark.realdata
def test_of_a_real_study_only_what_its_own_header_has_is_found(real_data: Path, tmp_path: Path) -> None:
    files = sorted((real_data / "chest/lung_dx_A0002/B70f").glob("*.dcm"))
    headers = [dcmread(file, stop_before_pixels=True) for file in files]
    made = encode(analysis_of(headers), headers, PROVENANCE, parametric_map=True, presentation_state=True)
    paths = write(_asked_for(list(made)), tmp_path)
    assert len(paths) == 2
    own = set(dciodvfy(files[0]))  # a name without components
    assert {line for path in paths for line in dciodvfy(path)} <= own
