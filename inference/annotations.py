"""What a radiologist's marks say of where the nodule is, as plain values. `annotation_files` reads those in DICOM."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ExtensibleSRStorage,
    KeyObjectSelectionDocumentStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from inference.findings import Position
from inference.geometry import Orientation

LABEL_MAP_SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.7")  # PS3.4 B.5; pydicom 3.0 has no name for it


class Kind(StrEnum):
    """Of an annotation, as a finding names it; in order of preference where two mark one lesion."""

    SEGMENTATION = "Segmentation"
    STRUCTURE_SET = "Structure set"
    CONTOURS = "Readers' contours"
    REPORT = "Structured report"
    BOXES = "Boxes"
    KEY_OBJECTS = "Key object selection"
    SLICE_LIST = "Slice list"


KINDS: Mapping[str, Kind] = {
    SegmentationStorage: Kind.SEGMENTATION,
    LABEL_MAP_SEGMENTATION: Kind.SEGMENTATION,
    RTStructureSetStorage: Kind.STRUCTURE_SET,
    EnhancedSRStorage: Kind.REPORT,
    ComprehensiveSRStorage: Kind.REPORT,
    Comprehensive3DSRStorage: Kind.REPORT,
    ExtensibleSRStorage: Kind.REPORT,
    KeyObjectSelectionDocumentStorage: Kind.KEY_OBJECTS,
}
"""The SOP classes that can mark slices or regions; the other kinds are no DICOM and reach a dataset only."""


class Unusable(ValueError):
    """Why an annotation, or a lesion of it, marks nothing here; said in UIDs and numbers, in no word of a header."""


def said(uid: str) -> str:
    """A UID of a header as a reason may quote it: what stands there may be anything."""
    if not uid:
        return "not named"
    return uid if re.fullmatch(r"[0-9.]{1,64}", uid) else "no valid UID"


@dataclass(frozen=True)
class Series:
    """The images that an annotation has to speak of."""

    series_instance_uid: str
    frame_of_reference_uid: str  # empty if they name none; then no geometry can be placed in them

    def refuse_other_frame(self, named: str) -> None:
        if not named or named != self.frame_of_reference_uid:
            raise Unusable(
                f"its frame of reference is {said(named)}, that of the images {said(self.frame_of_reference_uid)}"
            )

    def refuse_others(self, referred: Iterable[str]) -> None:
        named = tuple(referred)
        if named and self.series_instance_uid not in named:
            raise Unusable(f"it refers to series {said(named[0])}, analysed is {self.series_instance_uid}")


@dataclass(frozen=True, eq=False)
class Plane:
    """A region as pixels of a plane of its own."""

    mask: NDArray[np.bool_]  # rows, columns
    position_mm: Position  # ImagePositionPatient
    orientation: Orientation  # ImageOrientationPatient
    pixel_mm: tuple[float, float]  # between rows, between columns

    def __post_init__(self) -> None:
        if not (np.isfinite((*self.position_mm, *self.pixel_mm)).all() and min(self.pixel_mm) > 0):
            raise Unusable(f"a plane has position {self.position_mm} and pixels of {self.pixel_mm} mm")


@dataclass(frozen=True, eq=False)
class Outline:
    """Points, or the line through them; the edge of a region if it is closed."""

    points: NDArray[np.float64]  # x, y, z in mm in the patient, or column, row in the image `on`
    closed: bool
    line: bool = True  # else single points
    xor: bool = False  # a pixel in two of them is in none (PS3.3 C.8.8.6.3, CLOSEDPLANAR_XOR)
    on: str = ""  # SOP Instance UID of the image (PS3.3 C.18.6: 0.5, 0.5 is the middle of its first pixel)

    def __post_init__(self) -> None:
        least = 3 if self.closed else 2 if self.line else 1
        if len(self.points) < least or not np.isfinite(self.points).all():
            raise Unusable(f"a contour of {len(self.points)} points is none, or they are no numbers")


Shape = Plane | Outline


@dataclass(frozen=True)
class Segment:
    """A segment of a segmentation, by reference."""

    sop_instance_uid: str
    number: int


@dataclass(frozen=True, eq=False)
class Lesion:
    """One lesion as an annotation marks it: by its shape, by a segment elsewhere, or only by the slices that show it."""

    number: int  # in its annotation
    shapes: tuple[Shape, ...] = ()
    segments: tuple[Segment, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()  # of images


@dataclass(frozen=True, eq=False)
class Annotation:
    """One object of the study that refers to slices or regions of it."""

    sop_instance_uid: str
    kind: Kind
    made_at: str  # yyyymmddHHMMSS as far as it says so; a later one sorts behind
    lesions: tuple[Lesion, ...] = ()
    reasons: tuple[str, ...] = ()  # why it, or a part of it, cannot be used
