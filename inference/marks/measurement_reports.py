"""TID 1500 reports: each measurement group (PS3.16 TID 1410, 1411, 1501) that is no organ's marks a lesion."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.annotations import KINDS, Kind, Lesion, Outline, Segment, Series, Unusable
from inference.marks import content_tree
from inference.marks.content_tree import below, meanings, referenced
from inference.marks.vocabulary import names_lesion, names_organ

_TURN = np.linspace(0.0, 2.0 * np.pi, 72, endpoint=False)

Points = NDArray[np.float64]


def lesion_groups(ds: Dataset) -> tuple[tuple[int, Dataset], ...]:
    """Measurement groups, numbered from 1, whose finding is a lesion or is not said."""
    measured = [item for item in below(ds) if content_tree.name(item) == content_tree.IMAGING_MEASUREMENTS]
    groups = [
        item
        for part in measured
        for item in below(part)
        if content_tree.name(item) == content_tree.MEASUREMENT_GROUP
    ]
    found = tuple(
        (number, group)
        for number, group in enumerate(groups, start=1)
        if _refers_to_images(group) and not names_organ(_found(group))
    )
    if not found:
        raise Unusable(f"none of its {len(groups)} measurement groups marks a lesion")
    return found


def lesion(number: int, group: Dataset, series: Series) -> Lesion:
    """By its regions; where it has none by the segments it refers to, else by its images."""
    if outlines := tuple(_outlines(group, series)):
        return Lesion(number, shapes=outlines)
    if segments := tuple(_segments(group)):
        return Lesion(number, segments=segments)
    return Lesion(number, sop_instance_uids=_images(group))


def _found(group: Dataset) -> str:
    """The words of its finding and the finding's category."""
    codes = (content_tree.FINDING, content_tree.FINDING_CATEGORY)
    said = [
        meanings(item, "ConceptCodeSequence") for item in below(group) if content_tree.name(item) in codes
    ]
    lesion = next((words for words in said if names_lesion(words)), None)
    return lesion if lesion is not None else " ".join(said)


def _refers_to_images(group: Dataset) -> bool:
    return any(item.get("ValueType") in {"IMAGE", "SCOORD", "SCOORD3D"} for item in below(group))


def _outlines(group: Dataset, series: Series) -> Iterator[Outline]:
    for item in below(group):
        match item.get("ValueType"):
            case "SCOORD":
                yield _on_image(item)
            case "SCOORD3D":
                yield _in_patient(item, series)


def _on_image(item: Dataset) -> Outline:
    """PS3.3 C.18.6: column, row; selected from the one image below."""
    images = (str(sop.ReferencedSOPInstanceUID) for child in below(item) for sop in referenced(child))
    image = next(images, "")
    if not image:
        raise Unusable("a region names no image")
    points = np.asarray([float(v) for v in item.GraphicData]).reshape(-1, 2)
    return _outline(str(item.GraphicType), points, on=image)


def _in_patient(item: Dataset, series: Series) -> Outline:
    """PS3.3 C.18.9: x, y, z in mm in the frame of reference that it names."""
    series.refuse_other_frame(str(item.get("ReferencedFrameOfReferenceUID") or ""))
    points = np.asarray([float(v) for v in item.GraphicData]).reshape(-1, 3)
    return _outline(str(item.GraphicType), points, on="")


def _outline(graphic: str, points: Points, *, on: str) -> Outline:
    match graphic:
        case "POINT" | "MULTIPOINT":
            return Outline(points, closed=False, line=False, on=on)
        case "POLYLINE":
            closed = len(points) > 3 and bool(np.allclose(points[0], points[-1]))
            return Outline(points, closed=closed, on=on)
        case "POLYGON":
            return Outline(points, closed=True, on=on)
        case "CIRCLE":
            centre, edge = points
            radius = float(np.linalg.norm(edge - centre))
            return Outline(centre + radius * np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1), True, on=on)
        case "ELLIPSE":
            return Outline(_ellipse(*points), closed=True, on=on)
        case _:
            raise Unusable("a region is of a graphic type that is not read")


def _ellipse(first: Points, second: Points, third: Points, fourth: Points) -> Points:
    """From the ends of its long and of its short axis."""
    centre, long, short = (first + second) / 2, (second - first) / 2, (fourth - third) / 2
    return np.asarray(centre + np.outer(np.cos(_TURN), long) + np.outer(np.sin(_TURN), short))


def _segments(group: Dataset) -> Iterator[Segment]:
    for item in below(group):
        for sop in referenced(item):
            if KINDS.get(str(sop.get("ReferencedSOPClassUID"))) is Kind.SEGMENTATION:
                numbers = sop.get("ReferencedSegmentNumber") or 1
                for number in [numbers] if isinstance(numbers, int) else numbers:
                    yield Segment(str(sop.ReferencedSOPInstanceUID), int(number))


def _images(group: Dataset) -> tuple[str, ...]:
    """Each once, in the order of the report."""
    items = (item for item in below(group) if item.get("ValueType") == "IMAGE")
    return tuple(
        dict.fromkeys(str(sop.ReferencedSOPInstanceUID) for item in items for sop in referenced(item))
    )
