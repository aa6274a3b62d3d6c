"""Pieces of one slice, each square in the patient, drawn at any size: for the summary card."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from dicom_out.capture import patient_orientation
from dicom_out.lettering import Box
from dicom_out.render import Rgb, as_rgb, edged, heated, windowed
from inference.findings import ScoredSlice

_LEAST_MM = 80.0  # a small nodule keeps its surroundings
_MARGIN = 2.0  # a large one fills half of the view
_LINE_PX = 2
_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class View:
    """What of a slice is shown; `field` is in its pixels and may reach outside, where it is black."""

    caption: str
    rgb: Rgb
    field: Box
    lined: Mask  # rows, columns; what the line goes around
    sides: tuple[str, str]  # the anatomical directions of its left and right


def views(scored: ScoredSlice, source: Dataset, *, title: str, evidence: str) -> Iterator[View]:
    """The slice with a frame, the target with its outline, and the same with the heat where there is one.

    A target that has no extent in the slice (a person marked the slice, not the place) is not cut out.
    """
    row_mm, column_mm = (float(spacing) for spacing in source.PixelSpacing)
    sides = _sides(source)
    whole = _whole(scored.lesion.shape, row_mm, column_mm)
    ct = as_rgb(windowed(scored.hu))
    if not scored.lesion.any():
        yield View(title, ct, whole, scored.lesion, sides)
        if scored.heat is not None:
            yield View(evidence, heated(scored), whole, scored.lesion, sides)
        return
    size_mm, field = _around(scored.lesion, row_mm, column_mm)
    yield View(title, ct, whole, _filled(field, scored.lesion.shape), sides)
    yield View(f"target, view of {size_mm:.0f} mm", ct, field, scored.lesion, sides)
    if scored.heat is not None:
        yield View(evidence, heated(scored), field, scored.lesion, sides)


def drawn(view: View, side_px: int) -> Rgb:
    """The view as a square of `side_px`."""
    size = (side_px, side_px)
    rgb = Image.fromarray(_cut(view.rgb, view.field)).resize(size, Image.Resampling.BICUBIC)
    share = Image.fromarray(_cut(view.lined, view.field).astype(np.uint8) * 255)
    lined = np.asarray(share.resize(size, Image.Resampling.BILINEAR)) >= 128
    return edged(np.asarray(rgb), lined, width_px=_LINE_PX)


def _sides(source: Dataset) -> tuple[str, str]:
    row, _ = patient_orientation([float(cosine) for cosine in source.ImageOrientationPatient])
    return _OPPOSITE[row], row


def _whole(shape: tuple[int, ...], row_mm: float, column_mm: float) -> Box:
    rows, columns = shape
    size_mm = max(rows * row_mm, columns * column_mm)
    return _square(rows / 2, columns / 2, size_mm, row_mm, column_mm)


def _around(lesion: Mask, row_mm: float, column_mm: float) -> tuple[float, Box]:
    """The width in mm, and the field."""
    rows, columns = (np.flatnonzero(lesion.any(axis=axis)) for axis in (1, 0))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    size_mm = max(_LEAST_MM, _MARGIN * height * row_mm, _MARGIN * width * column_mm)
    row, column = rows[0] + height / 2, columns[0] + width / 2
    return size_mm, _square(row, column, size_mm, row_mm, column_mm)


def _square(row: float, column: float, size_mm: float, row_mm: float, column_mm: float) -> Box:
    height, width = max(1, round(size_mm / row_mm)), max(1, round(size_mm / column_mm))
    left, top = round(column - width / 2), round(row - height / 2)
    return Box(left, top, left + width, top + height)


def _filled(box: Box, shape: tuple[int, ...]) -> Mask:
    filled = np.zeros(shape, dtype=np.bool_)
    filled[max(0, box.top) : max(0, box.bottom), max(0, box.left) : max(0, box.right)] = True
    return filled


def _cut(image: NDArray[np.generic], box: Box) -> NDArray[np.generic]:
    """The box of the image, black where it reaches outside."""
    rows, columns = image.shape[:2]
    before = max(0, -box.top), max(0, -box.left)
    after = max(0, box.bottom - rows), max(0, box.right - columns)
    borders = [(before[0], after[0]), (before[1], after[1]), (0, 0)][: image.ndim]
    padded = np.pad(image, borders)
    top, left = box.top + before[0], box.left + before[1]
    return padded[top : box.bottom + before[0], left : box.right + before[1]]
