"""A C-STORE from its first byte to its answer: what comes goes on to whoever takes it in, and what goes wrong gets its status."""

import logging
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Protocol

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from db.jobs import LostRace
from db.session import DatabaseUnusable
from dicom_out.identity import IMPLEMENTATION_CLASS_UID
from node.identification import Identity, NotStorable
from node.logs import blame
from node.receive import Arrival, NotASender, OtherContent, WrongObject
from node.status import StoreStatus
from node.store_command import Answer
from node.watermark import NoRoom

log = logging.getLogger(__name__)


class TooLong(Exception):
    """A data set is longer than the listener takes."""


class Incoming(Protocol):
    """A DICOM file on its way in. Both may raise OSError, NoRoom, DatabaseUnusable or LostRace: not now."""

    def write(self, part: bytes | memoryview) -> None: ...

    def keep(self) -> Identity | None:
        """It is whole: make it durable; gives what it is, if that was looked at. Raises NotStorable."""

    def drop(self) -> None: ...


Begin = Callable[[Arrival], Incoming]
"""Takes in an object; raises as `Incoming` does."""

Keep = Callable[[bytes, Arrival], Identity | None]
"""The same for one that is gathered in memory first."""


@dataclass
class Gathered:
    """An object in memory, for `keep`."""

    whole: Keep
    arrival: Arrival
    content: bytearray = field(default_factory=bytearray)

    def write(self, part: bytes | memoryview) -> None:
        self.content += part

    def keep(self) -> Identity | None:
        return self.whole(bytes(self.content), self.arrival)

    def drop(self) -> None:
        self.content.clear()


def gathered(keep: Keep) -> Begin:
    return partial(Gathered, keep)


Refused = Callable[[int], None]
"""Is told of every C-STORE that was not answered with success: the status."""


REFUSALS = (NotStorable, NoRoom, TooLong, OSError, DatabaseUnusable, LostRace)


@dataclass(frozen=True)
class Rules:
    """How long an object may be, and who is told of each that is refused."""

    maximum_bytes: int
    refused: Refused | None = None


class Storing:
    """The data set of a C-STORE as it comes; what goes wrong meanwhile is answered when the sender is done."""

    def __init__(
        self,
        begin: Begin,
        arrival: Arrival,
        transfer_syntax: UID,
        rules: Rules,
        received: Callable[[str], None],
    ) -> None:
        self.arrival = arrival
        self._rules = rules
        self._received = received
        self._size = 0
        self._failure: Exception | None = None
        self._incoming: Incoming | None = None
        try:
            self._incoming = begin(arrival)
            self._incoming.write(_file_meta(arrival, transfer_syntax))
        except REFUSALS as error:
            self._fail(error)

    def take(self, fragment: memoryview) -> None:
        self._size += len(fragment)
        if self._incoming is None:
            return
        try:
            if self._size > self._rules.maximum_bytes:
                raise TooLong(f"longer than {self._rules.maximum_bytes} bytes")
            self._incoming.write(fragment)
        except REFUSALS as error:
            self._fail(error)

    def answer(self) -> Answer:
        answer = self._answer()
        if self._rules.refused is not None and answer.status != StoreStatus.SUCCESS:
            self._rules.refused(answer.status)
        return answer

    def _answer(self) -> Answer:
        facts = {"sender": self.arrival.calling_ae_title, "sop_instance_uid": self.arrival.sop_instance_uid}
        try:
            self._keep()
        except REFUSALS as error:
            return _refusal(error, facts)
        except Exception as error:  # noqa: BLE001 - the sender waits for an answer, whatever is wrong with us
            log.error("cannot store", extra={**facts, "error": blame(error)})
            return Answer(StoreStatus.UNFORESEEN, "a fault of the node")
        log.debug("object stored", extra=facts)
        return Answer(StoreStatus.SUCCESS)

    def _keep(self) -> None:
        if self._failure is not None:
            raise self._failure
        incoming, self._incoming = self._incoming, None
        if incoming is not None and (identity := incoming.keep()) is not None:
            self._received(identity.study_instance_uid)

    def drop(self) -> None:
        """The rest will not come."""
        if self._incoming is not None:
            self._incoming.drop()
            self._incoming = None

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self.drop()


def _file_meta(arrival: Arrival, transfer_syntax: UID) -> bytes:
    """What stands before the data set in a file (PS3.10 7.1), the same in every version of this software."""
    head, tail = _around_the_instance(arrival.sop_class_uid, transfer_syntax)
    uid = arrival.sop_instance_uid.encode("latin-1", "replace")  # as it was named, UID or not
    uid += b"\0" * (len(uid) % 2)
    group = head + struct.pack("<HH2sH", 0x0002, 0x0003, b"UI", len(uid)) + uid + tail
    return bytes(128) + b"DICM" + struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(group)) + group


@lru_cache
def _around_the_instance(sop_class_uid: str, transfer_syntax: UID) -> tuple[bytes, bytes]:
    """The elements of the file meta before and after Media Storage SOP Instance UID."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "SEDAS"
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta, enforce_standard=False)
    content = bytes(buffer.getvalue())
    at = content.index(struct.pack("<HH", 0x0002, 0x0010))
    return content[:at], content[at:]


def _refusal(error: Exception, facts: Mapping[str, str]) -> Answer:
    """The answer to one of REFUSALS; the log hears of it here, and of a full disk once and not for every object."""
    match error:
        case NoRoom():
            return Answer(StoreStatus.OUT_OF_RESOURCES, "disk nearly full, send again later")
        case TooLong():
            log.warning("object too long", extra={**facts, "reason": str(error)})
            return Answer(StoreStatus.OUT_OF_RESOURCES, str(error))
        case NotStorable():
            log.warning("object refused", extra={**facts, "reason": str(error)})
            return Answer(_status_of(error), str(error))
        case _:
            reason = getattr(error, "strerror", None) or str(error)
            log.error("cannot store", extra={**facts, "reason": reason})
            return Answer(StoreStatus.OUT_OF_RESOURCES, "cannot store now, send again later")


def _status_of(error: NotStorable) -> StoreStatus:
    match error:
        case NotASender():
            return StoreStatus.NOT_AUTHORIZED
        case WrongObject():
            return StoreStatus.DOES_NOT_MATCH_SOP_CLASS
        case OtherContent():
            return StoreStatus.OTHER_CONTENT_UNDER_KNOWN_UID
        case _:
            return StoreStatus.CANNOT_UNDERSTAND
