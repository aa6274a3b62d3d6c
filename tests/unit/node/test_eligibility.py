"""Which images and series are ours, each refusal with its reason."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import EnhancedCTImageStorage, SecondaryCaptureImageStorage

from config.settings import Eligibility
from node.eligibility import can_decode, coverage_mm, tilt_degrees, why_not_image, why_not_series
from node.headers import NotDicom, read_header
from tests.headers import SLICE, series

RULES = Eligibility()


def test_an_axial_ct_slice_can_be_used() -> None:
    assert why_not_image(SLICE, RULES) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sop_class_uid": EnhancedCTImageStorage}, "its SOP class is Enhanced CT Image Storage"),
        ({"sop_class_uid": SecondaryCaptureImageStorage}, "its SOP class is Secondary Capture"),
        ({"modality": "MR"}, "its modality is not CT"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "its image type says LOCALIZER"),
        ({"image_type": ("DERIVED", "SECONDARY", "DOSE_INFO")}, "its image type says DOSE"),
        ({"image_type": ("DERIVED", "PRIMARY", "AXIAL", "MIP")}, "its image type says MIP"),
        ({"image_type": ("DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP")}, "its image type says MIP"),
        ({"image_type": ("DERIVED", "PRIMARY", "AXIAL", "MAT_BASIS_IODINE")}, "its image type says BASIS"),
        ({"rescale_type": "Z_EFF"}, "not Hounsfield units"),
        ({"row_direction": (0.0, 1.0, 0.0), "column_direction": (-1.0, 0.0, 0.0)}, "lies on the side"),
        ({"samples_per_pixel": 3}, "3 samples per pixel"),
        ({"transfer_syntax_uid": "1.2.840.10008.1.2.4.53"}, "Process 6 and 8.* cannot be decoded"),
        ({"position_mm": None}, "no position and orientation"),
        ({"row_direction": None}, "no position and orientation"),
        ({"column_direction": (0.0, 0.0, -1.0)}, "not axial: tilted by 90 degrees"),
        ({"row_direction": (0.0, 0.0, 0.0)}, "its orientation is none"),
    ],
)
def test_what_is_no_axial_slice_is_dropped_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    why_not = why_not_image(replace(SLICE, **changes), RULES)
    assert why_not is not None
    assert re.search(reason, why_not)


@pytest.mark.parametrize(
    ("changes", "slices", "reason"),
    [
        ({"age_years": 12.0}, 60, "12 years old, at least 18"),
        ({"body_part": "HEAD", "series_words": "Trauma"}, 60, "not a chest: it says HEAD"),
        ({"body_part": "", "series_words": "plain head"}, 60, "not a chest: it says HEAD"),
        ({"body_part": "HEAD", "series_words": "", "study_words": "Head and thorax"}, 60, "it says HEAD"),
        ({"body_part": "", "series_words": "", "study_words": "Schädel nativ"}, 60, "it says SCHADEL"),
        ({"body_part": "TSPINE", "series_words": "Thoracic spine"}, 60, "it says SPINE"),
        ({"body_part": "EXTREMITY", "series_words": "Jane Roe"}, 60, "it is not a chest by its body part"),
        ({"age_years": 17.9999}, 60, "17 years old, at least 18"),
        ({}, 3, "3 slices, at least 12"),
        ({}, 20, "covers 100 mm, at least 150 mm"),
        ({"slice_thickness_mm": 12.0}, 60, "12 mm thick, at most 10 mm"),
    ],
)
def test_a_series_that_is_not_ours_is_refused_with_the_reason(
    changes: dict[str, Any], slices: int, reason: str
) -> None:
    why_not = why_not_series(series(slices=slices, **changes), RULES)
    assert why_not is not None
    assert reason in why_not


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"age_years": None},
        {"body_part": "", "series_words": ""},
        {"body_part": "UNKNOWN", "series_words": ""},
        {"body_part": "ABDOMEN", "series_words": "Chest and abdomen"},
        {"body_part": "", "series_words": "胸部平扫"},
        {"body_part": "TÓRAX", "series_words": ""},
        {"body_part": "", "series_words": "", "study_words": "Polytrauma Kopf HWS Thorax"},
        {"slice_thickness_mm": None},
    ],
)
def test_an_adult_chest_is_ours_however_it_is_described(changes: dict[str, Any]) -> None:
    assert why_not_series(series(**changes), RULES) is None


def test_coverage_runs_along_the_normal() -> None:
    assert coverage_mm(series(slices=60)) == pytest.approx(300.0)


def test_a_tilted_gantry_is_measured() -> None:
    assert tilt_degrees((1.0, 0.0, 0.0), (0.0, 0.9397, -0.3420)) == pytest.approx(20.0, abs=0.1)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"])
def test_what_the_listener_accepts_can_be_decoded(uid: str) -> None:
    assert can_decode(uid)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("localizer/philips_surview_phantom.dcm", "LOCALIZER"),
        ("dose_sc/philips_dose_info_sc.dcm", "Secondary Capture"),
        ("enhanced/eCT_Supplemental.dcm", "Enhanced CT"),
        ("enhanced/legacy_converted_enhanced_ct.dcm", "Legacy Converted"),
        (
            "transfer_syntax/CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm",
            "cannot be decoded",
        ),
    ],
)
def test_real_awkward_images_are_dropped(real_data: Path, file: str, reason: str) -> None:
    assert reason in str(why_not_image(read_header(real_data / "awkward" / file), RULES))


@pytest.mark.realdata
def test_a_real_head_is_not_a_chest(real_data: Path) -> None:
    slices = [read_header(f) for f in sorted((real_data / "awkward" / "gantry_tilt").iterdir())]
    assert "not a chest: it says BRAIN" in str(why_not_series(slices, RULES))


def test_a_file_that_is_no_dicom_is_named_as_such(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.dcm"
    rubbish.write_bytes(b"rubbish" * 100)
    with pytest.raises(NotDicom):
        read_header(rubbish)
