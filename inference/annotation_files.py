"""Annotation objects from their files: who made them, and what they mark. What is in a file never raises."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.annotations import KINDS, Annotation, Kind, Lesion, Series, Unusable
from inference.marks import authorship, key_objects, measurement_reports, segmentations, structure_sets
from inference.unreadable import UNREADABLE

_UNREADABLE = (*UNREADABLE, OSError)  # the disk is read before


@dataclass(frozen=True)
class Summary:
    """What an annotation object says of itself; by this a node decides whether it counts."""

    sop_instance_uid: str
    kind: Kind
    model_name: str = ""  # of the equipment that made it
    device_uids: frozenset[str] = frozenset()
    by_algorithm: bool = False  # all that it marks
    refers_to: frozenset[str] = frozenset()  # Series Instance UIDs
    withdraws: frozenset[str] = frozenset()  # SOP Instance UIDs, if it is a rejection note
    marks_nothing: str = ""  # why, in words of ours; empty if it marks a lesion, or is too damaged to tell


@dataclass(frozen=True)
class File:
    """An annotation object on disk. Its UIDs were read when it came."""

    path: Path
    sop_instance_uid: str
    sop_class_uid: str

    @property
    def kind(self) -> Kind:
        return KINDS[self.sop_class_uid]


def summarise(file: File) -> Summary:
    """Without its pixels. Raises OSError for a file that is not there."""
    summary = Summary(file.sop_instance_uid, file.kind)
    content = file.path.read_bytes()
    try:
        ds = dcmread(BytesIO(content), stop_before_pixels=True)
        summary = replace(
            summary,
            model_name=str(ds.get("ManufacturerModelName") or ""),
            device_uids=authorship.device_uids(ds),
            refers_to=_referred_series(ds),
            withdraws=key_objects.withdrawn(ds) if file.kind is Kind.KEY_OBJECTS else frozenset(),
        )
        return replace(summary, by_algorithm=all(part.by_algorithm for part in _parts(ds, file.kind)))
    except Unusable as reason:
        return replace(summary, marks_nothing=str(reason))
    except _UNREADABLE:
        return summary


def read(file: File, series: Series, *, algorithms: bool = False) -> Annotation:
    """All that it marks in `series`; with `algorithms`, also what no person drew.

    Raises OSError for a file that is not there.
    """
    made_at = ""
    lesions: list[Lesion] = []
    reasons: list[str] = []
    content = file.path.read_bytes()
    try:
        ds = dcmread(BytesIO(content))
        made_at = _made_at(ds)
        for part in _parts(ds, file.kind):
            if algorithms or not part.by_algorithm:
                try:
                    lesions.append(part.lesion(series))
                except _UNREADABLE as error:
                    reasons.append(_reason(error))
    except _UNREADABLE as error:
        reasons.append(_reason(error))
    return Annotation(
        file.sop_instance_uid, file.kind, made_at, tuple(lesions), tuple(dict.fromkeys(reasons))
    )


def _reason(error: Exception) -> str:
    """Unusable says it in words of ours; what another error says may quote a header."""
    return str(error) if isinstance(error, Unusable) else f"it is damaged ({type(error).__name__})"


def _referred_series(ds: Dataset) -> frozenset[str]:
    """Wherever in its sequences a series is named: each kind of object has another place for it."""
    items = [item for element in ds if element.VR == "SQ" for item in element.value]
    named = (str(item.get("SeriesInstanceUID") or "") for item in items)
    below = (uid for item in items for uid in _referred_series(item))
    return frozenset(uid for uid in (*named, *below) if uid)


@dataclass(frozen=True)
class _Part:
    """What marks one lesion, before its pixels or points are read."""

    by_algorithm: bool
    lesion: Callable[[Series], Lesion]


def _parts(ds: Dataset, kind: Kind) -> list[_Part]:
    match kind:
        case Kind.SEGMENTATION:
            return [
                _Part(segmentations.is_by_algorithm(segment), partial(segmentations.lesion, ds, segment))
                for segment in segmentations.lesion_segments(ds)
            ]
        case Kind.STRUCTURE_SET:
            return [
                _Part(structure_sets.is_by_algorithm(roi), partial(structure_sets.lesion, ds, roi))
                for roi in structure_sets.lesion_rois(ds)
            ]
        case Kind.REPORT:
            by_algorithm = authorship.is_by_algorithm(ds)
            return [
                _Part(by_algorithm, partial(measurement_reports.lesion, number, group))
                for number, group in measurement_reports.lesion_groups(ds)
            ]
        case Kind.KEY_OBJECTS:
            named = key_objects.selection(ds)
            return [_Part(authorship.is_by_algorithm(ds), lambda _: Lesion(1, sop_instance_uids=named))]
        case _:
            raise Unusable(f"{kind} is no kind of DICOM object")


def _made_at(ds: Dataset) -> str:
    """Date and time of its content, as text; a time is at most 13 characters (PS3.5 6.2)."""
    for kind in ("Content", "StructureSet", "InstanceCreation"):
        if date := str(ds.get(f"{kind}Date") or ""):
            return f"{date} {ds.get(f'{kind}Time') or ''}"
    return ""
