"""The images and marks that a site has, found in folders or in the node's own store. Pixels are not read here."""

import multiprocessing
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from inference.annotations import Unusable
from inference.executor import watch_parent
from inference.marks.boxes import Box, read_boxes
from inference.marks.readers import Reading, read_json, read_xml
from inference.marks.slice_lists import Listed
from node.classes import ANNOTATION_CLASSES
from node.headers import Header, read_headers

OnRead = Callable[[int], None]  # hears how many files were read since

_BATCH = 256  # files
_CONTOURS = "contours.json"
_UID = re.compile(r"\d+(\.\d+)+")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Studies:
    """What is there, by what it can be joined with."""

    images: Mapping[str, Sequence[Header]]  # by patient key
    patients: Mapping[str, frozenset[str]]  # patient keys, by Study Instance UID
    annotations: Mapping[str, Sequence[Header]]  # DICOM, by Study Instance UID
    boxes: Mapping[str, Sequence[Box]]  # by SOP Instance UID
    readings: Mapping[str, Sequence[Reading]]  # by Series Instance UID
    listed: Mapping[str, Sequence[Listed]]  # by SOP Instance UID
    unread: Mapping[str, int]  # files of marks that could not be read: how many, by reason


def files_in(folders: Iterable[Path]) -> list[Path]:
    """Each once, in an order that does not depend on the disk."""
    found = {p.resolve() for f in folders for p in ([f] if f.is_file() else f.rglob("*")) if p.is_file()}
    return sorted(found)


def read_studies(
    files: Sequence[Path],
    listed: Iterable[Listed] = (),
    *,
    processes: int = 1,
    on_read: OnRead = lambda _files: None,
) -> Studies:
    """Of an object that is there twice, the first file counts."""
    marks = [file for file in files if file.suffix.lower() == ".xml" or file.name == _CONTOURS]
    known = frozenset(marks)
    headers = _headers([file for file in files if file not in known], processes, on_read)
    once = {header.sop_instance_uid: header for header in reversed(headers)}.values()
    images = [header for header in once if header.sop_class_uid not in ANNOTATION_CLASSES]
    boxes, readings, unread = _read_marks(marks)
    on_read(len(marks))
    return Studies(
        images=_by(images, lambda h: h.patient_key),
        patients={
            study: frozenset(header.patient_key for header in headers)
            for study, headers in _by(images, lambda h: h.study_instance_uid).items()
        },
        annotations=_by(
            (h for h in once if h.sop_class_uid in ANNOTATION_CLASSES), lambda h: h.study_instance_uid
        ),
        boxes=_by(boxes, lambda box: box.sop_instance_uid),
        readings=_by(readings, lambda reading: reading.series_instance_uid),
        listed=_by(listed, lambda one: one.sop_instance_uid),
        unread=unread,
    )


def _headers(files: Sequence[Path], processes: int, on_read: OnRead) -> list[Header]:
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    headers: list[Header] = []
    for batch, read in zip(batches, _read(batches, processes), strict=True):
        headers += read
        on_read(len(batch))
    return headers


def _read(batches: Sequence[Sequence[Path]], processes: int) -> Iterator[list[Header]]:
    if processes == 1 or len(batches) < 2 * processes:  # a process takes longer to start
        yield from map(read_headers, batches)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), watch_parent) as pool:
        yield from pool.map(read_headers, batches)


def _read_marks(files: Iterable[Path]) -> tuple[list[Box], list[Reading], Counter[str]]:
    """Boxes lie in a file named by the image, readings of LIDC in one that is not."""
    boxes: list[Box] = []
    readings: list[Reading] = []
    unread: Counter[str] = Counter()
    for file in files:
        try:
            if file.name == _CONTOURS:
                readings.append(read_json(file))
            elif _UID.fullmatch(file.stem):
                boxes += read_boxes(file)
            else:
                readings.append(read_xml(file))
        except Unusable as reason:
            unread[str(reason)] += 1
    return boxes, readings, unread


def _by(values: Iterable[_Value], key: Callable[[_Value], str]) -> Mapping[str, Sequence[_Value]]:
    grouped: defaultdict[str, list[_Value]] = defaultdict(list)
    for value in values:
        grouped[key(value)].append(value)
    return dict(grouped)
