"""One Secondary Capture per key slice: the picture on the grid and in the geometry of its CT slice."""

from collections.abc import Iterator

import highdicom as hd
from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset

from dicom_out import codes
from dicom_out.captions import HEADING, caption
from dicom_out.header import SourceSeries, copy
from dicom_out.identity import Kind, Provenance, ResultName
from dicom_out.lettering import lettered
from dicom_out.references import slab
from dicom_out.render import STRENGTH, WINDOW_LEVEL_HU, WINDOW_WIDTH_HU, picture
from dicom_out.secondary import Numbering, derive, secondary_capture
from dicom_out.statements import in_sentences
from inference.findings import Analysis, ScoredSlice

MOST_KEY_SLICES = 5
SERIES_NUMBER = 9001

_GEOMETRY = (
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "AcquisitionDate",
    "AcquisitionTime",
)


def key_slices(analysis: Analysis) -> tuple[ScoredSlice, ...]:
    """All up to five; of more, the middles of five equal parts of the target, one of them moved to its centre."""
    slices, most = analysis.slices, MOST_KEY_SLICES
    if len(slices) <= most:
        return slices
    chosen = [(2 * part + 1) * len(slices) // (2 * most) for part in range(most)]
    if analysis.target is not None and analysis.target.position_mm is not None:
        height_mm = analysis.target.position_mm[2]
        centre = min(range(len(slices)), key=lambda i: abs(slices[i].position_mm[2] - height_mm))
        nearest = min(range(most), key=lambda part: abs(chosen[part] - centre))
        chosen[nearest] = centre
    return tuple(slices[i] for i in chosen)


def captures(analysis: Analysis, series: SourceSeries, provenance: Provenance) -> Iterator[Dataset]:
    """A Secondary Capture for each key slice, from feet to head."""
    for number, scored in enumerate(key_slices(analysis), start=1):
        yield _capture(analysis, scored, number, series, provenance)


def _capture(
    analysis: Analysis, scored: ScoredSlice, number: int, series: SourceSeries, provenance: Provenance
) -> Dataset:
    source = series[scored.sop_instance_uid]
    ds = secondary_capture(
        lettered(picture(scored), caption(analysis, scored), scored.lungs | scored.lesion),
        Numbering(Kind.PICTURE_SERIES, SERIES_NUMBER, Kind.PICTURE, number),
        ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance),
        source,
        (analysis.classifier, analysis.segmenter),
    )
    _place(ds, source)
    _describe(ds, analysis, scored)
    ds.DerivationDescription = _derivation(scored)
    if scored.heat is not None:
        ds.DerivationCodeSequence = [CodedConcept.from_code(codes.GRAD_CAM)]
    derive(ds, slab(scored, series), aligned=True)
    return ds


def patient_orientation(image_orientation: list[float]) -> tuple[str, str]:
    """The anatomical directions of a row and of a column (PS3.3 C.7.6.1.1.1), the closest for oblique slices."""
    rotation = hd.spatial.create_rotation_matrix(image_orientation)
    row, column, _ = hd.spatial.get_closest_patient_orientation(rotation)
    return row.value, column.value


def _place(ds: Dataset, source: Dataset) -> None:
    """Put the picture where its slice is; what Image Plane and Frame of Reference ask for may be empty."""
    orientation = [float(cosine) for cosine in source.ImageOrientationPatient]
    ds.PatientOrientation = list(patient_orientation(orientation))
    copy(source, ds, _GEOMETRY)
    for needed, by in (
        ("SliceThickness", "ImagePositionPatient"),
        ("PositionReferenceIndicator", "FrameOfReferenceUID"),
    ):
        if by in ds and needed not in ds:
            setattr(ds, needed, None)


def _describe(ds: Dataset, analysis: Analysis, scored: ScoredSlice) -> None:
    words = caption(analysis, scored)
    explained = "Grad-CAM" if scored.heat is not None else "target"
    ds.SeriesDescription = f"{HEADING} {explained}"
    ds.ImageComments = in_sentences((" - ".join(words.warning), *words.model, "; ".join(words.result)))


def _derivation(scored: ScoredSlice) -> str:
    shown = f"CT in window level {WINDOW_LEVEL_HU:.0f} HU, width {WINDOW_WIDTH_HU:.0f} HU"
    if scored.lesion.any():
        shown += ", with the outline of the target"
    if scored.heat is None:
        return f"{shown}; nothing was scored."
    return (
        f"{shown}, with the Grad-CAM heat of an average of {len(scored.source_uids)} slices over it: "
        f"blue is low, red is high on one scale for the whole study; opacity is {STRENGTH:.2f} times the heat."
    )
