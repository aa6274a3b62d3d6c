"""The images that show a lesion, by SOP Instance UID and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from inference.annotations import Annotation, Kind, Lesion
from inference.volume import CtVolume


@dataclass(frozen=True)
class Listed:
    sop_instance_uid: str
    lesion: int = 1  # its number in the patient


def as_annotation(listed: Sequence[Listed], volume: CtVolume) -> Annotation:
    ordered = sorted(listed, key=lambda one: one.lesion)
    lesions = tuple(
        Lesion(number, sop_instance_uids=tuple(one.sop_instance_uid for one in each))
        for number, each in groupby(ordered, key=lambda one: one.lesion)
    )
    return Annotation(volume.series_instance_uid, Kind.SLICE_LIST, "", lesions)
