"""The target as a radiologist marked it: exactly the slices and regions that the annotations name.

Each lesion counts once. Where several annotations mark one, the first by kind (in the order of `Kind`), and of a kind the newest, is taken; of mere slice lists only those of the first such annotation.
The widest lesion is the target, a mere slice list comes after every region, then the one on most slices; UIDs
settle ties. The others are candidates.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inference.annotations import Annotation, Kind, Lesion, Outline, Plane, Segment, Shape, Unusable, said
from inference.extent import longest_axial_mm
from inference.findings import InputQuality, Mark, QualityCode, SlicePolicy, Target
from inference.marks.grid import Grid, draw_outline, draw_plane
from inference.morphology import Mask
from inference.targets import Region, Selection
from inference.volume import CtVolume

_SAME_LESION = 0.5  # of the smaller region lies in the larger one
_ORDER = tuple(Kind)


@dataclass(frozen=True, eq=False)
class _Marked:
    """A lesion found in the volume."""

    annotation: Annotation
    lesion: Lesion
    region: Region

    @property
    def has_extent(self) -> bool:
        return self.region.extent.size > 0

    @property
    def rank(self) -> tuple[float, int, str, int]:
        """The smallest is the target."""
        size_mm = self.region.target.size_mm or 0.0
        missing = 0.0 if self.has_extent else 1.0
        return (
            missing - size_mm,
            -len(self.region.shown),
            self.annotation.sop_instance_uid,
            self.lesion.number,
        )

    @property
    def mark(self) -> Mark:
        segment = self.lesion.number if self.annotation.kind is Kind.SEGMENTATION else None
        return Mark(self.annotation.sop_instance_uid, segment)


def select_annotated(volume: CtVolume, lungs: Mask, annotations: Sequence[Annotation]) -> Selection:
    """No region where no annotation can be used; a finding says why for each that cannot."""
    marked: list[_Marked] = []
    findings: list[InputQuality] = []
    segments = _segments(annotations)
    for annotation in sorted(sorted(annotations, key=_age, reverse=True), key=lambda a: _ORDER.index(a.kind)):
        findings += (_refused(annotation, reason) for reason in annotation.reasons)
        for lesion in annotation.lesions:
            try:
                region = _region(lesion, volume, lungs, segments)
            except Unusable as reason:
                findings.append(_refused(annotation, str(reason)))
            else:
                marked.append(_Marked(annotation, lesion, region))
    kept = sorted(_one_each(marked), key=lambda m: m.rank)
    return Selection(
        SlicePolicy.ANNOTATED if kept else SlicePolicy.NONE,
        tuple(mark.region for mark in kept),
        tuple(dict.fromkeys(findings)),
        kept[0].mark if kept else None,
        kept[0].annotation.kind if kept else None,
    )


def _age(annotation: Annotation) -> tuple[str, str]:
    return annotation.made_at, annotation.sop_instance_uid


def _refused(annotation: Annotation, reason: str) -> InputQuality:
    text = f"{annotation.kind} {said(annotation.sop_instance_uid)} was not used: {reason}."
    return InputQuality(QualityCode.ANNOTATION_REFUSED, text)


def _segments(annotations: Iterable[Annotation]) -> Mapping[Segment, Lesion]:
    return {
        Segment(annotation.sop_instance_uid, lesion.number): lesion
        for annotation in annotations
        if annotation.kind is Kind.SEGMENTATION
        for lesion in annotation.lesions
    }


def _region(lesion: Lesion, volume: CtVolume, lungs: Mask, segments: Mapping[Segment, Lesion]) -> Region:
    shapes = lesion.shapes or tuple(_referred(lesion.segments, segments))
    if not shapes:
        return _named_slices(lesion.sop_instance_uids, volume, lungs)
    return _drawn(shapes, volume, lungs)


def _referred(referred: Iterable[Segment], segments: Mapping[Segment, Lesion]) -> Iterator[Shape]:
    for segment in referred:
        if segment not in segments:
            raise Unusable(
                f"segment {segment.number} of {said(segment.sop_instance_uid)} is not here or marks nothing that counts"
            )
        yield from segments[segment].shapes


def _named_slices(uids: Sequence[str], volume: CtVolume, lungs: Mask) -> Region:
    """The slices and no place in them."""
    shown = tuple(k for k, uid in enumerate(volume.sop_instance_uids) if uid in set(uids))
    if not shown:
        raise Unusable(f"none of the {len(uids)} images it names is of the series that is analysed")
    if len(shown) == len(volume.sop_instance_uids):
        raise Unusable(f"it names all {len(shown)} slices of the series")
    if not lungs[list(shown)].any():
        raise Unusable(f"no lung was found in the {len(shown)} slices it names")
    nothing = np.zeros((0, 0, 0), dtype=np.bool_)
    return Region(Target(None, None), shown, (shown[0], 0, 0), nothing)


def _drawn(shapes: Sequence[Shape], volume: CtVolume, lungs: Mask) -> Region:
    grid = Grid.of(volume)
    slices = {uid: k for k, uid in enumerate(volume.sop_instance_uids)}
    planes: dict[int, Mask] = {}
    for shape in shapes:
        drawn = [draw_plane(grid, shape)] if isinstance(shape, Plane) else draw_outline(grid, shape, slices)
        is_xor = isinstance(shape, Outline) and shape.xor
        for index, plane in drawn:
            before = planes.get(index, np.zeros_like(plane))
            planes[index] = before ^ plane if is_xor else before | plane
    if not any((plane & lungs[index]).any() for index, plane in planes.items()):
        raise Unusable(f"its region on {len(planes)} slices lies outside the lungs")
    region = _boxed(planes, volume)
    if all(isinstance(shape, Outline) and not shape.line for shape in shapes):  # a point has no size
        return replace(region, target=replace(region.target, size_mm=None))
    return region


def _boxed(planes: Mapping[int, Mask], volume: CtVolume) -> Region:
    anywhere = np.logical_or.reduce(list(planes.values()))
    shown = tuple(sorted(planes))
    rows, columns = (np.flatnonzero(anywhere.any(axis=axis)) for axis in (1, 0))
    corner = (shown[0], int(rows[0]), int(columns[0]))
    box = (slice(corner[1], int(rows[-1]) + 1), slice(corner[2], int(columns[-1]) + 1))
    extent = np.zeros((shown[-1] - shown[0] + 1, *anywhere[box].shape), dtype=np.bool_)
    for index, plane in planes.items():
        extent[index - shown[0]] = plane[box]
    middle = [float(axis.mean()) + start for axis, start in zip(np.nonzero(extent), corner, strict=True)]
    target = Target(volume.position_mm(*middle), longest_axial_mm(extent, volume.spacing_mm))
    return Region(target, shown, corner, extent)


def _one_each(marked: Iterable[_Marked]) -> list[_Marked]:
    """Without a lesion that is marked already by one that comes before; regions come before slice lists."""
    kept: list[_Marked] = []
    for mark in sorted(marked, key=lambda m: not m.has_extent):
        if mark.has_extent:
            known = any(_is_same(mark.region, other.region) for other in kept)
        else:
            lists = [m for m in kept if not m.has_extent]
            known = any(m.annotation is not mark.annotation for m in lists) or any(
                set(mark.region.shown) & set(other.region.shown) for other in kept
            )
        if not known:
            kept.append(mark)
    return kept


def _is_same(one: Region, other: Region) -> bool:
    """Does most of the smaller region lie in the larger?"""
    rows, columns = (max(r.corner[axis] + r.extent.shape[axis] for r in (one, other)) for axis in (1, 2))
    both = set(one.shown) & set(other.shown)
    shared = sum(int((one.plane(k, (rows, columns)) & other.plane(k, (rows, columns))).sum()) for k in both)
    return shared >= _SAME_LESION * min(int(one.extent.sum()), int(other.extent.sum()))
