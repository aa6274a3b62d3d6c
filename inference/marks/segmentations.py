"""Segmentation objects (PS3.3 A.51): which segments mark a lesion, and their pixels as planes in the patient."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels

from inference.annotations import Lesion, Plane, Series, Unusable
from inference.geometry import orientation
from inference.marks.content_tree import meanings
from inference.marks.vocabulary import names_lesion, names_organ


def lesion_segments(ds: Dataset) -> tuple[Dataset, ...]:
    """Those that name a lesion by category, type or label; a single one that names no organ."""
    every = tuple(ds.SegmentSequence)
    if found := tuple(segment for segment in every if names_lesion(_words(segment))):
        return found
    if len(every) == 1 and not names_organ(_words(every[0])):
        return every
    raise Unusable(f"none of its {len(every)} segments is a lesion")


def is_by_algorithm(segment: Dataset) -> bool:
    """AUTOMATIC is the algorithm's own; a semiautomatic segment was steered by a person (PS3.3 C.8.20.2)."""
    return str(segment.get("SegmentAlgorithmType") or "") == "AUTOMATIC"


def lesion(ds: Dataset, segment: Dataset, series: Series) -> Lesion:
    """The pixels of one segment; nothing of the others is decoded. Needs the pixel data."""
    series.refuse_other_frame(str(ds.get("FrameOfReferenceUID") or ""))
    series.refuse_others(str(item.SeriesInstanceUID) for item in ds.get("ReferencedSeriesSequence") or ())
    number = int(segment.SegmentNumber)
    planes = tuple(_planes(ds, number))
    if not planes:
        raise Unusable(f"segment {number} is empty")
    return Lesion(number, shapes=planes)


def _words(segment: Dataset) -> str:
    return " ".join(
        (
            meanings(segment, "SegmentedPropertyCategoryCodeSequence"),
            meanings(segment, "SegmentedPropertyTypeCodeSequence"),
            str(segment.get("SegmentLabel") or ""),
        )
    )


def _planes(ds: Dataset, number: int) -> Iterator[Plane]:
    frames = _frames(ds, number)
    pixels = iter_pixels(ds, indices=frames, raw=True) if frames else ()
    for index, values in zip(frames, pixels, strict=True):
        mask = _mask(ds, number, values)
        if mask.any():
            x, y, z = (float(v) for v in _group(ds, index, "PlanePositionSequence").ImagePositionPatient)
            turned = _group(ds, index, "PlaneOrientationSequence").ImageOrientationPatient
            rows, columns = (float(v) for v in _group(ds, index, "PixelMeasuresSequence").PixelSpacing)
            yield Plane(mask, (x, y, z), orientation([float(v) for v in turned]), (rows, columns))


def _frames(ds: Dataset, number: int) -> list[int]:
    """Those that may hold pixels of the segment; in a label map, all."""
    every = range(int(ds.NumberOfFrames))
    if ds.SegmentationType == "LABELMAP":
        return list(every)
    identified = (_group(ds, index, "SegmentIdentificationSequence") for index in every)
    return [index for index, item in enumerate(identified) if int(item.ReferencedSegmentNumber) == number]


def _mask(ds: Dataset, number: int, pixels: NDArray[np.number]) -> NDArray[np.bool_]:
    match ds.SegmentationType:
        case "BINARY":
            return pixels > 0
        case "LABELMAP":
            return np.asarray(pixels == number)
        case "FRACTIONAL":
            return np.asarray(pixels >= 0.5 * int(ds.MaximumFractionalValue))
        case _:
            raise Unusable("its segmentation type is none that is known")


def _group(ds: Dataset, frame: int, keyword: str) -> Dataset:
    """A functional group of one frame, its own or the one that all share (PS3.3 C.7.6.16)."""
    own = ds.PerFrameFunctionalGroupsSequence[frame]
    item: Dataset = (own if keyword in own else ds.SharedFunctionalGroupsSequence[0])[keyword].value[0]
    return item
