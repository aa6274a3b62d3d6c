from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import JPEG2000, UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSNearLossless

from inference.findings import QualityCode
from inference.phantom import chest
from inference.quality import of_headers, of_lungs, of_thickness

TISSUE = np.full((5, 16, 16), 40, dtype=np.int16)


def header(syntax: str = ExplicitVRLittleEndian, **values: object) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    for keyword, value in {"ImageType": ["ORIGINAL", "PRIMARY"], "SliceThickness": 5.0, **values}.items():
        setattr(ds, keyword, value)
    return ds


def texts(*headers: Dataset, kernel: str = "B70f", spacing_mm: float = 5.0) -> dict[QualityCode, str]:
    return {f.code: f.text for f in of_headers(headers, kernel, spacing_mm)}


@pytest.mark.parametrize(("slab_mm", "stated"), [(5.0, False), (7.0, False), (8.0, True), (3.0, True)])
def test_a_slice_thickness_far_from_the_models_is_stated(slab_mm: float, stated: bool) -> None:
    assert [f.code for f in of_thickness(slab_mm, 5.0)] == [QualityCode.SLICE_THICKNESS] * stated


@pytest.mark.parametrize(("lung_ml", "stated"), [(800.0, True), (4500.0, False), (12000.0, True)])
def test_an_implausible_lung_volume_is_stated(lung_ml: float, stated: bool) -> None:
    lungs = np.zeros(TISSUE.shape, dtype=np.bool_)
    lungs[2, 4:12, 4:12] = True
    assert [f.code for f in of_lungs(TISSUE, lungs, lung_ml)] == [QualityCode.LUNG_VOLUME] * stated


def test_lungs_that_reach_the_last_slice_are_cut_off() -> None:
    lungs = np.zeros(TISSUE.shape, dtype=np.bool_)
    lungs[2:, 4:12, 4:12] = True
    (finding,) = of_lungs(TISSUE, lungs, 4000.0)
    assert finding.text == "The lungs reach the highest slice."


def test_lungs_that_reach_the_side_of_the_image_are_cut_off() -> None:
    lungs = np.zeros(TISSUE.shape, dtype=np.bool_)
    lungs[1:4, 4:12, :6] = True
    (finding,) = of_lungs(TISSUE, lungs, 4000.0)
    assert finding.code is QualityCode.LUNGS_CUT_OFF
    assert finding.text == "The lungs reach the border of the reconstructed field in 3 of 5 slices."


def test_lungs_that_reach_the_scanners_circle_are_cut_off_and_others_are_not() -> None:
    narrow, wide = (chest(seed=3, lesion=None, pixels=128, pixel_mm=mm) for mm in (1.6, 2.8))
    assert [f.code for f in of_lungs(narrow.hu, narrow.lungs, 4000.0)] == [QualityCode.LUNGS_CUT_OFF]
    assert not list(of_lungs(wide.hu, wide.lungs, 4000.0))


def test_a_plain_series_has_no_limitation() -> None:
    assert not texts(header(), header())


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ({"ContrastBolusAgent": "IV"}, True),
        ({"ContrastBolusRoute": "IV"}, True),
        ({"ContrastBolusVolume": 80}, True),
        ({"ContrastBolusAgentSequence": [Dataset()]}, True),
        ({"ContrastBolusAgent": "NONE"}, False),
        ({"ContrastBolusAgent": "", "ContrastBolusVolume": 0}, False),
    ],
)
def test_contrast_is_stated_however_it_is_told_and_not_quoted(values: dict[str, Any], given: bool) -> None:
    said = texts(header(**values), header())
    expected = "A contrast agent was given, say 1 of 2 slices; the model expects none."
    assert said == ({QualityCode.CONTRAST_AGENT: expected} if given else {})


@pytest.mark.parametrize(
    ("ds", "lossy"),
    [
        (header(LossyImageCompression="01"), True),
        (header(LossyImageCompression="00"), False),
        (header(JPEGLSNearLossless), True),
        (header(JPEG2000), True),
        (header(JPEG2000Lossless), False),
    ],
)
def test_loss_is_stated_by_the_flag_or_by_the_transfer_syntax(ds: Dataset, lossy: bool) -> None:
    assert (QualityCode.LOSSY_COMPRESSION in texts(ds)) is lossy


@pytest.mark.parametrize("image_type", [["DERIVED", "PRIMARY"], ["ORIGINAL", "SECONDARY"]])
def test_derived_and_secondary_images_are_counted(image_type: list[str]) -> None:
    said = texts(header(ImageType=image_type), header())
    assert said[QualityCode.DERIVED_IMAGES].startswith("1 of 2 slices")


@pytest.mark.parametrize(
    ("kernel", "code", "text"),
    [
        ("B30f", QualityCode.SOFT_KERNEL, "The kernel B30f is soft; the model expects a sharp one."),
        ("", QualityCode.UNKNOWN_KERNEL, "The kernel is not stated; the model expects a sharp one."),
        (
            "Dr. Example",
            QualityCode.UNKNOWN_KERNEL,
            "The kernel is not known to be sharp; the model expects a sharp one.",
        ),
    ],
)
def test_a_kernel_that_is_not_sharp_is_stated(kernel: str, code: QualityCode, text: str) -> None:
    assert texts(header(), kernel=kernel) == {code: text}


def test_slices_thinner_than_their_distance_leave_tissue_unseen() -> None:
    said = texts(header(SliceThickness=1.0), spacing_mm=10.0)
    expected = "Slices of 1.0 mm lie 10.0 mm apart; what is between them is not seen."
    assert said == {QualityCode.SLICE_THICKNESS: expected}


def test_slices_of_different_thickness_are_stated() -> None:
    said = texts(header(SliceThickness=1.0), header(SliceThickness=5.0))
    assert said == {QualityCode.SLICE_THICKNESS: "The slices are 1.0 to 5.0 mm thick."}
