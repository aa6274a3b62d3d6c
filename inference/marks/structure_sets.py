"""RT structure sets (PS3.3 A.19): which ROIs mark a lesion, and their contours."""

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from inference.annotations import Lesion, Outline, Series, Unusable
from inference.marks.vocabulary import names_lesion, names_organ

_NO_LESION = frozenset(
    {"ORGAN", "EXTERNAL", "PTV", "CTV", "AVOIDANCE", "BOLUS", "SUPPORT", "FIXATION", "CONTROL", "DOSE_REGION"}
    | {
        "CONTRAST_AGENT",
        "CAVITY",
        "BRACHY_CHANNEL",
        "DOSE_MEASUREMENT",
        "MARKER",
        "REGISTRATION",
        "ISOCENTER",
    }
)
"""RT ROI Interpreted Types (3006,00A4) of what is no gross tumour."""


def lesion_rois(ds: Dataset) -> tuple[Dataset, ...]:
    """Those that are a gross tumour by type or name a lesion; a single one that names no organ."""
    every = tuple(ds.StructureSetROISequence)
    observed = {int(o.ReferencedROINumber): o for o in ds.get("RTROIObservationsSequence") or ()}
    typed = [(roi, _type(observed.get(int(roi.ROINumber)))) for roi in every]
    if found := tuple(roi for roi, kind in typed if kind == "GTV" or names_lesion(_name(roi))):
        return found
    if len(every) == 1 and typed[0][1] not in _NO_LESION and not names_organ(_name(every[0])):
        return every
    raise Unusable(f"none of its {len(every)} regions of interest is a lesion")


def is_by_algorithm(roi: Dataset) -> bool:
    """AUTOMATIC is the algorithm's own; a semiautomatic one was steered by a person (PS3.3 C.8.8.5)."""
    return str(roi.get("ROIGenerationAlgorithm") or "") == "AUTOMATIC"


def lesion(ds: Dataset, roi: Dataset, series: Series) -> Lesion:
    series.refuse_other_frame(str(roi.get("ReferencedFrameOfReferenceUID") or ""))
    series.refuse_others(_referenced_series(ds))
    number = int(roi.ROINumber)
    drawn = [item for item in ds.ROIContourSequence if int(item.ReferencedROINumber) == number]
    outlines = tuple(outline for item in drawn for outline in _outlines(item))
    if not outlines:
        raise Unusable(f"region of interest {number} has neither a closed contour nor a point")
    return Lesion(number, shapes=outlines)


def _name(roi: Dataset) -> str:
    return f"{roi.get('ROIName') or ''} {roi.get('ROIDescription') or ''}"


def _type(observation: Dataset | None) -> str:
    return str(observation.get("RTROIInterpretedType") or "").upper() if observation else ""


def _referenced_series(ds: Dataset) -> Iterator[str]:
    for frame in ds.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                yield str(series.SeriesInstanceUID)


def _outlines(drawn: Dataset) -> Iterator[Outline]:
    for contour in drawn.get("ContourSequence") or ():
        kind = str(contour.ContourGeometricType)
        if kind in {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "POINT"}:
            points = np.asarray([float(v) for v in contour.ContourData]).reshape(-1, 3)
            is_line = kind != "POINT"
            yield Outline(points, closed=is_line, line=is_line, xor=kind == "CLOSEDPLANAR_XOR")
