"""PASCAL VOC boxes: one XML file an image, named by its SOP Instance UID, as Lung-PET-CT-Dx is published."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from inference.annotations import Annotation, Kind, Unusable
from inference.marks import drawn
from inference.marks.xml_text import parse
from inference.volume import CtVolume

ROOT = "annotation"


@dataclass(frozen=True)
class Box:
    """Edges as LabelImg writes them: in pixels from the corner of the image, so that the last is outside."""

    sop_instance_uid: str
    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right and 0 <= self.top < self.bottom):
            raise Unusable(f"a box from {self.left}, {self.top} to {self.right}, {self.bottom} is none")


def read_boxes(path: Path) -> tuple[Box, ...]:
    """Raises Unusable for a file that is none of boxes, or whose name is no UID."""
    if not re.fullmatch(r"[0-9.]{1,64}", path.stem):
        raise Unusable("its name is not the SOP Instance UID of an image")
    root = parse(path)
    if root.tag != ROOT:
        raise Unusable(f"it is no file of PASCAL VOC boxes, expected <{ROOT}>")
    return tuple(_box(path.stem, item) for item in root.iter("bndbox"))


def as_annotation(boxes: Sequence[Box], volume: CtVolume) -> Annotation:
    """Boxes that touch, within a slice or from one to the next, are one lesion."""
    slices = {uid: k for k, uid in enumerate(volume.sop_instance_uids)}
    here = [box for box in boxes if box.sop_instance_uid in slices]
    mask = np.zeros(volume.hu.shape, dtype=np.bool_)
    for box in here:
        mask[slices[box.sop_instance_uid], box.top : box.bottom, box.left : box.right] = True
    return Annotation(
        volume.series_instance_uid, Kind.BOXES, "", drawn.lesions(mask, volume), _outside(here, volume)
    )


def _outside(boxes: Iterable[Box], volume: CtVolume) -> tuple[str, ...]:
    rows, columns = volume.hu.shape[1:]
    beyond = sum(box.right > columns or box.bottom > rows for box in boxes)
    return (f"{beyond} of its boxes reach beyond the {rows} x {columns} pixels",) if beyond else ()


def _box(sop_instance_uid: str, item: Element) -> Box:
    try:
        left, top, right, bottom = (
            round(float(item.findtext(name, ""))) for name in ("xmin", "ymin", "xmax", "ymax")
        )
    except (ValueError, OverflowError):
        raise Unusable("a box has edges that are no numbers") from None
    return Box(sop_instance_uid, left, top, right, bottom)
