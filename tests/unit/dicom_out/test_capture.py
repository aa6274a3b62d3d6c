from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_out.captions import caption
from dicom_out.capture import key_slices, patient_orientation
from dicom_out.encode import encode
from dicom_out.lettering import layout
from dicom_out.render import OUTLINE, windowed
from inference.findings import Analysis, SlicePolicy, Target
from tests.analyses import PROVENANCE, analysis_of, ct_headers

HEADERS = ct_headers(40)


def _analysis(count: int, **changes: object) -> Analysis:
    return replace(analysis_of(HEADERS, scored=slice(0, count)), **changes)  # type: ignore[arg-type]


def _pictures(analysis: Analysis, headers: list[Dataset] | None = None) -> tuple[Dataset, ...]:
    return encode(analysis, headers or HEADERS, PROVENANCE)[1:-1]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_slices_are_all_key_slices(count: int) -> None:
    analysis = _analysis(count)
    assert key_slices(analysis) == analysis.slices


@pytest.mark.parametrize("count", [6, 7, 12, 33, 40])
@pytest.mark.parametrize("where", [0.0, 0.3, 0.5, 1.0])
def test_five_key_slices_run_through_the_target_and_include_its_centre(count: int, where: float) -> None:
    centre = round(where * (count - 1))
    analysis = _analysis(count)
    target = Target(analysis.slices[centre].position_mm, 30.0)
    chosen = [analysis.slices.index(s) for s in key_slices(replace(analysis, target=target))]
    assert len(set(chosen)) == 5
    assert chosen == sorted(chosen)
    assert centre in chosen
    assert max(np.diff(chosen)) <= -(-count // 5) + count // 10 + 1


@pytest.mark.parametrize(
    ("cosines", "letters"),
    [
        ([1, 0, 0, 0, 1, 0], ("L", "P")),
        ([-1, 0, 0, 0, -1, 0], ("R", "A")),
        ([1, 0, 0, 0, 0, -1], ("L", "F")),
        ([0.98, 0.17, 0, -0.17, 0.98, 0], ("L", "P")),
    ],
)
def test_the_orientation_of_the_picture_is_computed(cosines: list[float], letters: tuple[str, str]) -> None:
    assert patient_orientation(cosines) == letters


def test_a_picture_lies_on_its_slice() -> None:
    analysis = _analysis(3)
    for picture, scored in zip(_pictures(analysis), analysis.slices, strict=True):
        source = next(h for h in HEADERS if h.SOPInstanceUID == scored.sop_instance_uid)
        for keyword in ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
            assert picture[keyword].value == source[keyword].value
        assert picture.FrameOfReferenceUID == source.FrameOfReferenceUID
        assert picture.AcquisitionDate == source.AcquisitionDate


def test_a_picture_of_a_slab_names_all_its_slices() -> None:
    analysis = _analysis(3)
    slab = tuple(str(h.SOPInstanceUID) for h in HEADERS[:3])
    scored = replace(analysis.slices[1], source_uids=slab)
    picture = _pictures(replace(analysis, slices=(scored,)))[0]
    assert {i.ReferencedSOPInstanceUID for i in picture.SourceImageSequence} == set(slab)
    referenced = picture.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {i.ReferencedSOPInstanceUID for i in referenced} == set(slab)


def test_beside_the_letters_and_the_heat_the_picture_is_the_ct() -> None:
    analysis = _analysis(1)
    scored = analysis.slices[0]
    assert scored.heat is not None
    picture = _pictures(analysis)[0]
    pixels = np.frombuffer(picture.PixelData, np.uint8).reshape(picture.Rows, picture.Columns, 3)
    same = (pixels == windowed(scored.hu)[..., np.newaxis]).all(axis=-1)
    lettered = np.zeros(same.shape, dtype=np.bool_)
    for placed in layout(caption(analysis, scored), scored.lungs | scored.lesion):
        lettered[placed.box.top : placed.box.bottom, placed.box.left : placed.box.right] = True
    outline = (pixels == OUTLINE).all(axis=-1)
    assert same[(scored.heat == 0) & ~lettered & ~outline].all()
    assert not same[scored.heat > 0.5].any()


@pytest.mark.parametrize("released", ["score", "no score"])
def test_the_target_is_outlined_with_and_without_heat(released: str) -> None:
    analysis = _analysis(1) if released == "score" else _analysis(1).without_score()
    picture = _pictures(analysis)[0]
    pixels = np.frombuffer(picture.PixelData, np.uint8).reshape(picture.Rows, picture.Columns, 3)
    lesion = analysis.slices[0].lesion
    rows, columns = np.nonzero((pixels == OUTLINE).all(axis=-1))
    inside_rows, inside_columns = np.nonzero(lesion)
    assert (rows.min(), rows.max()) == (inside_rows.min() - 1, inside_rows.max() + 1)
    assert (columns.min(), columns.max()) == (inside_columns.min() - 1, inside_columns.max() + 1)
    assert not lesion[rows, columns].any()
    assert "the outline of the target" in picture.DerivationDescription


def test_without_an_extent_nothing_is_outlined_and_the_words_name_no_colour() -> None:
    analysis = _analysis(1)
    scored = replace(analysis.slices[0], lesion=np.zeros_like(analysis.slices[0].lesion))
    analysis = replace(analysis, slices=(scored,))
    picture = _pictures(analysis)[0]
    pixels = np.frombuffer(picture.PixelData, np.uint8).reshape(picture.Rows, picture.Columns, 3)
    assert not (pixels == OUTLINE).all(axis=-1).any()
    assert "outline" not in picture.DerivationDescription
    assert caption(analysis, scored).result[-1] == "unconfirmed target"


def test_the_words_say_what_the_picture_shows() -> None:
    analysis = _analysis(3)
    words = caption(analysis, analysis.slices[1])
    assert words.heading == "AI RESEARCH"
    assert words.result == (
        "PIMA probability 53.33 %",
        "image 2: 55.00 %",
        "evidence for PIMA",
        "cyan: unconfirmed target",
    )
    marked = replace(analysis, slice_policy=SlicePolicy.ANNOTATED)
    assert caption(marked, analysis.slices[1]).result[-1] == "cyan: marked target"
    unnumbered = replace(analysis.slices[1], instance_number=None)
    assert caption(analysis, unnumbered).result[1] == "in this slice 55.00 %"


def test_without_a_score_there_is_no_number_and_no_heat() -> None:
    analysis = _analysis(3).without_score()
    words = caption(analysis, analysis.slices[1])
    assert not words.legend
    assert (words.score, *words.result) == ("no score", "no score", "image 2", "cyan: unconfirmed target")
    picture = _pictures(analysis)[0]
    assert picture.SeriesDescription == "AI RESEARCH target"
    assert "DerivationCodeSequence" not in picture


def test_the_identity_of_the_patient_changes_no_pixel() -> None:
    others = ct_headers(40)
    for header in others:
        header.PatientName, header.PatientID, header.PatientBirthDate = "Zz^Qq", "999", "19010101"
    analysis = _analysis(1)
    assert _pictures(analysis)[0].PixelData == _pictures(analysis, others)[0].PixelData


def test_lossy_compression_of_the_source_is_passed_on() -> None:
    headers = ct_headers(40)
    headers[0].LossyImageCompression = "01"
    headers[0].LossyImageCompressionRatio = "12.5"
    headers[0].LossyImageCompressionMethod = "ISO_15444_1"
    first, second = _pictures(_analysis(2), headers)
    assert (first.LossyImageCompression, first.LossyImageCompressionRatio) == ("01", 12.5)
    assert second.LossyImageCompression == "00"
