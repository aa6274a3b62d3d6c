"""The key slices as a viewer should show them: a Grayscale Softcopy Presentation State (PS3.3 A.33.1) over the CT itself.

The window is that of the pictures, the target has its outline, and a few words say what it is; nothing of the patient.
"""

from collections.abc import Iterator

import highdicom as hd
import numpy as np
from highdicom.color import CIELabColor
from highdicom.pr import (
    AnnotationUnitsValues,
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GraphicTypeValues,
    TextJustificationValues,
    TextObject,
)
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from dicom_out.captions import caption, target_status
from dicom_out.capture import key_slices
from dicom_out.contour import Corner, contours
from dicom_out.equipment import taking_part
from dicom_out.header import SourceSeries, copy, differing
from dicom_out.identity import PRODUCT, Kind, Provenance, ResultName
from dicom_out.references import stand_in
from dicom_out.render import WINDOW_LEVEL_HU, WINDOW_WIDTH_HU
from dicom_out.stamp import stamp
from inference.findings import Analysis, ScoredSlice

SERIES_NUMBER = 9007
_RESCALE = ("RescaleIntercept", "RescaleSlope", "RescaleType")
_MOST_CORNERS = 4000  # a line of GraphicData holds 8191, since its length has 16 bits (PS3.5 7.1.2)
_WORDS_BOX = (0.01, 0.01, 0.35, 0.15)  # left, top, right, bottom, in shares of the displayed area
_CYAN, _WHITE = CIELabColor(84.0, -35.0, -28.0), CIELabColor(100.0, 0.0, 0.0)


def state_obstacle(analysis: Analysis, series: SourceSeries) -> str:
    """Why these images can have no presentation state, or nothing."""
    sources = [series[scored.sop_instance_uid] for scored in key_slices(analysis)]
    if not sources:
        return "there is no key slice"
    if any(differing(sources[0], source, _RESCALE) for source in sources):
        return "the key slices differ in their rescale, and a presentation state has one for all"
    return ""


def presentation_states(
    analysis: Analysis, series: SourceSeries, provenance: Provenance
) -> Iterator[Dataset]:
    """One object for all key slices; none where there is an obstacle."""
    if not state_obstacle(analysis, series):
        yield _presentation_state(analysis, series, provenance)


def _presentation_state(analysis: Analysis, series: SourceSeries, provenance: Provenance) -> Dataset:
    name = ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance)
    slices = key_slices(analysis)
    planes = [_plane(series[scored.sop_instance_uid]) for scored in slices]
    target = GraphicLayer("TARGET", order=1, description="Outline of the target", display_color=_CYAN)
    words = GraphicLayer("RESULT", order=2, description="Result in words", display_color=_WHITE)
    outlines = [
        GraphicAnnotation([plane], target, graphic_objects=lines)
        for plane, scored in zip(planes, slices, strict=True)
        if (lines := list(_outline(scored)))
    ]
    ds = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=planes,
        series_instance_uid=name.uid(
            GrayscaleSoftcopyPresentationStateStorage, Kind.PRESENTATION_STATE_SERIES
        ),
        series_number=SERIES_NUMBER,
        sop_instance_uid=name.uid(GrayscaleSoftcopyPresentationStateStorage, Kind.PRESENTATION_STATE),
        instance_number=1,
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=provenance.software_version,
        device_serial_number=PRODUCT,
        content_label="AI_RESEARCH",
        content_description="AI RESEARCH key slices: window, target, result",
        graphic_layers=[target, words] if outlines else [words],
        graphic_annotations=[
            *outlines,
            *(
                GraphicAnnotation([plane], words, text_objects=[_words(analysis, scored)])
                for plane, scored in zip(planes, slices, strict=True)
            ),
        ],
        voi_lut_transformations=[
            hd.pr.SoftcopyVOILUTTransformation(
                window_center=WINDOW_LEVEL_HU,
                window_width=WINDOW_WIDTH_HU,
            )
        ],
        series_description="AI RESEARCH presentation",
    )
    source = series[slices[0].sop_instance_uid]
    _rescale(ds, source)
    _keep_in_proportion(ds, source)
    stamp(ds, series.reference, provenance, taking_part(analysis, provenance.software_version))
    ds.BodyPartExamined = "CHEST"  # unpaired, so that no Laterality is asked for (PS3.3 C.7.3.1)
    ds.PresentationCreationDate, ds.PresentationCreationTime = ds.ContentDate, ds.ContentTime
    del ds.ContentDate, ds.ContentTime  # which its modules do not have
    return ds


def _plane(source: Dataset) -> Dataset:
    plane = stand_in(source, ("Rows", "Columns"))
    plane.SamplesPerPixel = 1
    return plane


def _outline(scored: ScoredSlice) -> Iterator[GraphicObject]:
    for line in contours(scored.lesion):
        for piece in _pieces(line):
            yield GraphicObject(
                GraphicTypeValues.POLYLINE, np.array(piece, dtype=np.float64), AnnotationUnitsValues.PIXEL
            )


def _pieces(line: list[Corner]) -> Iterator[list[Corner]]:
    """Each begins where the one before ended."""
    for start in range(0, len(line) - 1, _MOST_CORNERS - 1):
        yield line[start : start + _MOST_CORNERS]


def _words(analysis: Analysis, scored: ScoredSlice) -> TextObject:
    said = caption(analysis, scored)
    return TextObject(
        "\r\n".join((said.heading, said.score, target_status(analysis), *said.warning)),
        AnnotationUnitsValues.DISPLAY,
        bounding_box=_WORDS_BOX,
        text_justification=TextJustificationValues.LEFT,
    )


def _rescale(ds: Dataset, source: Dataset) -> None:
    """As the CT has it, without which the window would be one of stored values (PS3.3 C.11.1)."""
    copy(source, ds, _RESCALE)
    if "RescaleSlope" in ds and "RescaleType" not in ds:
        ds.RescaleType = "HU"


def _keep_in_proportion(ds: Dataset, source: Dataset) -> None:
    """The pixels' own sides (PS3.3 C.10.4), where highdicom takes them for squares."""
    for area in ds.DisplayedAreaSelectionSequence:
        del area.PresentationPixelAspectRatio
        area.PresentationPixelSpacing = [float(side) for side in source.PixelSpacing]
