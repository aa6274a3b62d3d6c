import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import EnhancedCTImageStorage, RLELossless

from inference.findings import QualityCode
from inference.volume import (
    BrokenCoverage,
    NoGeometry,
    NotACtSlice,
    NotDecodable,
    NotDicom,
    NotOneSeries,
    PixelBomb,
    TooFewSlices,
    TooLargeForMemory,
    VolumeRefused,
    load,
)
from tests.phantom import small_chest, small_study


def changed(path: Path, change: Callable[[Dataset], None]) -> None:
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)


def replaced(path: Path, **values: object) -> None:
    def change(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    changed(path, change)


def codes(paths: list[Path]) -> list[QualityCode]:
    return [finding.code for finding in load(paths).findings]


@pytest.fixture
def study(tmp_path: Path) -> list[Path]:
    return small_study(tmp_path / "study")


def test_slices_are_stacked_from_feet_to_head_whatever_their_order(study: list[Path]) -> None:
    volume = load(study[::-2] + study[-2::-2])
    assert np.array_equal(volume.hu, small_chest().hu)
    assert volume.instance_numbers == tuple(range(1, 61))


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (2, -1000), (0.5, 0), (-1, 500)])
def test_hounsfield_units_follow_the_rescaling(study: list[Path], slope: float, intercept: float) -> None:
    for path in study[:3]:
        replaced(path, RescaleSlope=slope, RescaleIntercept=intercept)
    stored = pydicom.dcmread(study[1]).pixel_array.astype(float)
    assert np.array_equal(load(study[:3]).hu[1], np.rint(np.clip(stored * slope + intercept, -1024, 32767)))


def test_signed_pixels_and_bits_above_the_highest_are_read_right(study: list[Path]) -> None:
    def sign(ds: Dataset) -> None:
        stored = ds.pixel_array.astype(np.int32) - 1024
        ds.PixelRepresentation, ds.RescaleIntercept = 1, 0
        ds.PixelData = ((stored & 0x0FFF) | 0x5000).astype("<u2").tobytes()

    for path in study[:3]:
        changed(path, sign)
    assert np.array_equal(load(study[:3]).hu, np.clip(small_chest().hu[:3], -1024, 2047))


def test_padding_is_air_even_where_it_lies_outside_the_stored_bits(study: list[Path]) -> None:
    def pad(ds: Dataset) -> None:
        stored = ds.pixel_array.copy()
        stored[:10] = 63536
        ds.add_new("PixelPaddingValue", "US", 63536)
        ds.PixelData = stored.astype("<u2").tobytes()

    for path in study[:2]:
        changed(path, pad)
    assert (load(study[:2]).hu[:, :10] == -1024).all()


def test_pixels_need_not_be_square(study: list[Path]) -> None:
    for path in study:
        replaced(path, PixelSpacing=[2.8, 1.4])
    volume = load(study)
    assert volume.spacing_mm == pytest.approx((5.0, 2.8, 1.4))
    start, end = volume.position_mm(0, 0, 0), volume.position_mm(0, 10, 10)
    assert np.subtract(end, start) == pytest.approx((14.0, 28.0, 0.0))


def test_an_empty_instance_number_is_legal(study: list[Path]) -> None:
    replaced(study[4], InstanceNumber=None)
    assert load(study).instance_numbers[3:6] == (4, None, 6)


def test_compressed_slices_load_to_the_same_volume(study: list[Path]) -> None:
    for path in study:
        changed(path, lambda ds: ds.compress(RLELossless, generate_instance_uid=False))
    assert np.array_equal(load(study).hu, small_chest().hu)


def test_of_two_slices_at_one_position_the_first_by_number_is_kept(study: list[Path], tmp_path: Path) -> None:
    again = tmp_path / "again.dcm"
    again.write_bytes(study[20].read_bytes())
    replaced(again, SOPInstanceUID="2.25.1", InstanceNumber=99)
    volume = load([again, *study])
    assert "2.25.1" not in volume.sop_instance_uids
    assert codes([again, *study]) == [QualityCode.DUPLICATE_SLICES]


def test_a_missing_slice_is_stated(study: list[Path]) -> None:
    (finding,) = load(study[:20] + study[21:]).findings
    assert finding.code is QualityCode.MISSING_SLICES
    assert finding.text == "1 slices are missing; the widest gap is 10.0 mm."


def test_uneven_spacing_is_stated(study: list[Path]) -> None:
    changed(study[20], lambda ds: ds.ImagePositionPatient.__setitem__(2, ds.ImagePositionPatient[2] + 1.5))
    assert codes(study) == [QualityCode.UNEVEN_SPACING]


def test_a_hole_in_the_coverage_is_refused(study: list[Path]) -> None:
    with pytest.raises(BrokenCoverage, match=r"10 slices missing between 50, widest gap 55\.0 mm"):
        load(study[:20] + study[30:])


def test_a_tilted_gantry_is_stated(study: list[Path]) -> None:
    angle = np.deg2rad(15)
    tilted = [1, 0, 0, 0, float(np.cos(angle)), float(-np.sin(angle))]
    for path in study:
        replaced(path, ImageOrientationPatient=tilted)
    (finding,) = load(study).findings
    assert finding.text == "The gantry is tilted by 15.0 degrees."


def test_contrast_soft_kernel_and_lossy_compression_are_stated(tmp_path: Path) -> None:
    header = {"ContrastBolusAgent": "Iohexol", "ConvolutionKernel": "B30f", "LossyImageCompression": "01"}
    assert codes(small_study(tmp_path, **header)) == [
        QualityCode.SOFT_KERNEL,
        QualityCode.CONTRAST_AGENT,
        QualityCode.LOSSY_COMPRESSION,
    ]


@pytest.mark.parametrize(
    ("keyword", "value", "error"),
    [
        ("SeriesInstanceUID", "2.25.7", NotOneSeries),
        ("StudyInstanceUID", "2.25.7", NotOneSeries),
        ("FrameOfReferenceUID", "2.25.7", NotOneSeries),
        ("PixelSpacing", [1.0, 1.0], NotOneSeries),
        ("ImageOrientationPatient", [-1, 0, 0, 0, 1, 0], NotOneSeries),
        ("ImageOrientationPatient", [1, 0, 0, 0, 0, -1], NoGeometry),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], NoGeometry),
        ("ImageOrientationPatient", None, NoGeometry),
        ("ImagePositionPatient", None, NoGeometry),
        ("PixelSpacing", [0, 0], NoGeometry),
        ("RescaleIntercept", None, NoGeometry),
        ("SOPClassUID", EnhancedCTImageStorage, NotACtSlice),
        ("NumberOfFrames", 2, NotACtSlice),
        ("BitsAllocated", 8, NotDecodable),
        ("Rows", 4096, NotDecodable),
        ("PixelRepresentation", None, NotDecodable),
    ],
)
def test_one_slice_that_does_not_fit_refuses_the_series(
    study: list[Path], keyword: str, value: object, error: type[VolumeRefused]
) -> None:
    replaced(study[7], **{keyword: value})
    with pytest.raises(error):
        load(study)


def test_a_compressed_slice_that_promises_a_thousand_times_its_bytes_is_a_bomb(study: list[Path]) -> None:
    def inflate(ds: Dataset) -> None:
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.Rows, ds.Columns = 16384, 16384

    changed(study[7], inflate)
    with pytest.raises(PixelBomb, match=r"\(16384, 16384\) pixels said to be in \d+ bytes"):
        load(study)


def test_a_volume_too_large_for_memory_is_refused_before_its_pixels_are_read(study: list[Path]) -> None:
    def spoil(ds: Dataset) -> None:
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.PixelData = encapsulate([b"\xff" * 5000])

    changed(study[7], spoil)
    needed = r"60 slices of 128 x 128 need 0\.01 GB, 0\.00 GB are free"
    with pytest.raises(TooLargeForMemory, match=needed):
        load(study, limit_bytes=1_000_000)
    with pytest.raises(NotDecodable):
        load(study, limit_bytes=100_000_000)


def again(study: list[Path], folder: Path, *, shift_mm: float, **header: object) -> list[Path]:
    """The same slices once more, some mm higher."""
    folder.mkdir()
    copies = []
    for number, path in enumerate(study):
        ds = pydicom.dcmread(path)
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, float(z) + shift_mm]
        ds.SOPInstanceUID = f"2.25.{number + 1}"
        for keyword, value in header.items():
            setattr(ds, keyword, value)
        copies.append(folder / path.name)
        ds.save_as(copies[-1])
    return copies


@pytest.mark.parametrize("shift_mm", [0.0, 2.5, 60.0])
@pytest.mark.parametrize("mark", [{"AcquisitionNumber": 2}, {"AcquisitionTime": "101500"}])
def test_of_two_acquisitions_over_one_another_the_longest_is_kept(
    study: list[Path], tmp_path: Path, shift_mm: float, mark: dict[str, object]
) -> None:
    second = again(study[:50], tmp_path / "second", shift_mm=shift_mm, **mark)
    volume = load([*second, *study])
    assert np.array_equal(volume.hu, small_chest().hu)
    (finding,) = volume.findings
    assert finding.code is QualityCode.SEVERAL_ACQUISITIONS
    assert finding.text == (
        "2 acquisitions lie over one another; 60 slices of the longest are kept and 50 left out."
    )


def test_acquisitions_that_follow_one_another_are_one_volume(study: list[Path]) -> None:
    for path in study[30:]:
        replaced(path, AcquisitionNumber=2)
    volume = load(study)
    assert len(volume.hu) == 60
    assert not volume.findings


def test_a_scanner_may_number_and_time_every_slice(study: list[Path]) -> None:
    for number, path in enumerate(study):
        replaced(path, AcquisitionNumber=number, AcquisitionTime=f"0915{number:02d}")
    assert not load(study).findings


def test_one_slice_is_no_volume(study: list[Path]) -> None:
    with pytest.raises(TooFewSlices, match="1 slices, expected at least 2"):
        load(study[:1])
    with pytest.raises(TooFewSlices, match="1 different positions"):
        load([study[0], study[0]])


@pytest.mark.parametrize("keep", [0, 100, 200, 5000, -1000])
def test_a_cut_file_is_refused_without_its_name(study: list[Path], keep: int) -> None:
    study[3].write_bytes(study[3].read_bytes()[:keep])
    with pytest.raises(VolumeRefused) as refused:
        load(study)
    assert not re.search(r"Phantom|study|/", str(refused.value))


def test_something_else_is_not_dicom(study: list[Path]) -> None:
    study[3].write_text("a letter")
    with pytest.raises(NotDicom):
        load(study)


@pytest.mark.realdata
@pytest.mark.parametrize("syntax", ["1.2.4.53", "1.2.4.55"])
def test_a_transfer_syntax_that_nobody_reads_is_named(real_data: Path, tmp_path: Path, syntax: str) -> None:
    (path,) = (real_data / "awkward" / "transfer_syntax").glob(f"*_1.2.840.10008.{syntax}.dcm")
    with pytest.raises(NotDecodable, match="JPEG"):
        load([path, _moved(path, tmp_path / path.name)])


@pytest.mark.realdata
@pytest.mark.parametrize(
    "syntax",
    ["1.2", "1.2.1", "1.2.1.99", "1.2.4.70", "1.2.4.80", "1.2.4.81", "1.2.4.90", "1.2.4.91", "1.2.5"],
)
def test_each_transfer_syntax_that_we_claim_is_read(real_data: Path, tmp_path: Path, syntax: str) -> None:
    folder = real_data / "awkward" / "transfer_syntax"
    (path,) = folder.glob(f"*_1.2.840.10008.{syntax}.dcm")
    volumes = [load([p, _moved(p, tmp_path / p.name)]) for p in (path, folder / "CTImage.dcm")]
    tolerance = 16 if syntax in {"1.2.4.81", "1.2.4.91"} else 0  # the two lossy ones
    assert np.abs(volumes[0].hu.astype(int) - volumes[1].hu).max() <= tolerance


def _moved(path: Path, copy: Path) -> Path:
    ds = pydicom.dcmread(path)
    ds.ImagePositionPatient[2] += 5
    ds.save_as(copy)
    return copy


@pytest.mark.realdata
def test_awkward_real_files_are_refused_or_stated(real_data: Path) -> None:
    awkward = real_data / "awkward"
    for folder in ("enhanced", "dose_sc", "localizer"):
        with pytest.raises(VolumeRefused):
            load(sorted((awkward / folder).iterdir()))
    tilted = load(sorted((awkward / "gantry_tilt").iterdir()))
    assert "The gantry is tilted by 18.5 degrees." in [f.text for f in tilted.findings]
