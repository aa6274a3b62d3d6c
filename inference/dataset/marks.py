"""Where the nodule is, in whatever form it was noted, as annotations of one volume."""

from collections.abc import Iterator
from dataclasses import dataclass

from inference.annotation_files import File, read
from inference.annotations import Annotation, Series
from inference.marks import boxes, readers, slice_lists
from inference.marks.boxes import Box
from inference.marks.readers import Reading
from inference.marks.slice_lists import Listed
from inference.volume import CtVolume


@dataclass(frozen=True)
class Rules:
    """Whose marks count."""

    agreeing: int = 2  # readers, of LIDC's four, that must hold a pixel for nodule
    algorithms: bool = False  # do another algorithm's marks count?


@dataclass(frozen=True)
class Marks:
    """All that is known of one patient's nodule; of images that are not used, too."""

    objects: tuple[File, ...] = ()  # DICOM
    boxes: tuple[Box, ...] = ()
    readings: tuple[Reading, ...] = ()
    listed: tuple[Listed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.objects or self.boxes or self.readings or self.listed)


def annotations(marks: Marks, volume: CtVolume, rules: Rules) -> tuple[Annotation, ...]:
    return tuple(_annotations(marks, volume, rules))


def _annotations(marks: Marks, volume: CtVolume, rules: Rules) -> Iterator[Annotation]:
    series = Series(volume.series_instance_uid, volume.frame_of_reference_uid)
    for file in marks.objects:
        yield read(file, series, algorithms=rules.algorithms)
    for reading in marks.readings:
        if reading.series_instance_uid == volume.series_instance_uid:
            yield readers.as_annotation(reading, volume, agreeing=rules.agreeing)
    if marks.boxes:
        yield boxes.as_annotation(marks.boxes, volume)
    if marks.listed:
        yield slice_lists.as_annotation(marks.listed, volume)
