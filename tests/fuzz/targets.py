"""What is fuzzed: functions that take any bytes and end without an exception, whatever the bytes are."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, cast

from pydicom.uid import (
    Comprehensive3DSRStorage,
    CTImageStorage,
    KeyObjectSelectionDocumentStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)
from pynetdicom.dul import _PDU_TYPES

from config.settings import Storage
from db.instances import Standing
from inference import volume
from inference.annotation_files import File, read, summarise
from inference.annotations import Series
from node.headers import NotDicom, read_header
from node.identification import NotStorable
from node.reactor import _MALFORMED, P_DATA_TF, Fragments
from node.receive import Arrival, Reception
from node.recorder import Recorder
from node.revision import change_between
from node.store_command import Answer, read_request, response
from tests.fuzz.conversation import converse

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PREAMBLE = bytes(128) + b"DICM"
ANNOTATIONS = (
    KeyObjectSelectionDocumentStorage, SegmentationStorage, RTStructureSetStorage, Comprehensive3DSRStorage,
)  # fmt: skip
FEW_BYTES = 1 << 24  # that a volume may need


class Outside(Exception):
    """A file that is not where files belong."""


@cache
def _folder() -> Path:
    """In memory, where there is such a place: nothing waits for a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own below it
    return Path(mkdtemp(prefix="sedas-fuzz-", dir=memory if os.access(memory, os.W_OK) else None))


class _Forgetful:
    """Knows no object, so that each one is new."""

    def record(self, _: object) -> Standing:
        return Standing.NEW


def reception(content: bytes) -> None:
    """A DICOM file is kept inside the spool or refused, and what is kept can be looked at by all that follows."""
    storage = Storage(folder=_folder() / "node")
    kept = Reception(storage, cast("Recorder", _Forgetful()), lambda file, *_: file.drop(), lambda: NOW)
    incoming = kept.begin(Arrival("PACS", str(CTImageStorage), "1.2.3"))
    cast("Any", incoming)._compare_with_command = lambda _: None  # whatever UIDs it has now
    middle = len(content) // 2
    try:
        incoming.write(content[:middle])
        incoming.write(content[middle:])
        identity = incoming.keep()
    except NotStorable:
        _expect_nothing_in(storage.folder)
        return
    (path,) = [file for file in storage.folder.rglob("*") if file.is_file()]
    try:
        if path.parent != storage.spool / identity.study_instance_uid:
            raise Outside(f"{len(path.parts)} parts")
        header(path)
        change_between(path, path)
    finally:
        path.unlink()
        path.parent.rmdir()


def _expect_nothing_in(folder: Path) -> None:
    if any(file.is_file() for file in folder.rglob("*")):
        raise Outside("a refused file is still there")


def header(path: Path) -> None:
    try:
        read_header(path)
    except NotDicom:
        return


def headers(content: bytes) -> None:
    header(_written(content))


def annotation(content: bytes) -> None:
    """Of each kind, whatever the file says that it is."""
    path = _written(content)
    kind = ANNOTATIONS[sum(content[-8:]) % len(ANNOTATIONS)]
    file = File(path, "1.2.3", str(kind))
    summarise(file)
    read(file, Series("1.2.3.4.5", "1.2.3.4"), algorithms=True)


def slice_of_volume(content: bytes) -> None:
    """One file of a series whose others are good."""
    try:
        volume.load([_written(content), *_good_slices()], limit_bytes=FEW_BYTES)
    except (volume.VolumeRefused, volume.TooLargeForMemory):
        return


@cache
def _good_slices() -> tuple[Path, ...]:
    """Beside the seeds, written by `python -m tests.fuzz`."""
    return tuple(sorted(Path(os.environ["SEDAS_FUZZ"]).glob("slices/*.dcm")))[1:]


def _written(content: bytes) -> Path:
    path = _folder() / "one.dcm"
    path.write_bytes(content)
    return path


def conversation(content: bytes) -> None:
    converse(content)


def pdu(content: bytes) -> None:
    """One PDU alone: what cannot be decoded pynetdicom answers with an abort, and what is decoded must not surprise us."""
    if content[0:1] == bytes([P_DATA_TF]):
        with suppress(ValueError):
            Fragments(bytearray(content))
        return
    kind = _PDU_TYPES.get(content[:1])
    if kind is None:
        return
    decoded = kind[0]()
    try:
        decoded.decode(content)
    except Exception:  # noqa: BLE001 - as in DULServiceProvider._read_pdu_data
        return
    with suppress(*_MALFORMED):
        decoded.to_primitive()


def command(content: bytes) -> None:
    """A command set is a C-STORE that can be answered, or left to pynetdicom."""
    request = read_request(content)
    if request is not None:
        response(request, Answer(0xC000, "not readable"))


Target = Callable[[bytes], None]

TARGETS: Mapping[str, Target] = {
    "conversation": conversation,
    "pdu": pdu,
    "command": command,
    "reception": reception,
    "headers": headers,
    "annotation": annotation,
    "volume": slice_of_volume,
}
