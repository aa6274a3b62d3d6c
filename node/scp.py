"""The storage SCP, and the ear for storage commitment reports: which associations and contexts it takes, and how it answers. All of pynetdicom's server side."""

import logging
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.metadata import version
from typing import Protocol, cast

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import (
    JPEG2000,
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    ExtensibleSRStorage,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    KeyObjectSelectionDocumentStorage,
    LegacyConvertedEnhancedCTImageStorage,
    RLELossless,
    RTStructureSetStorage,
    SegmentationStorage,
)
from pynetdicom import _config, evt
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE

from config.settings import Listener
from db.jobs import LostRace
from db.session import DatabaseUnusable
from dicom_out.commitment import PUSH_MODEL
from dicom_out.identity import IMPLEMENTATION_CLASS_UID, implementation_version_name
from inference.annotations import LABEL_MAP_SEGMENTATION
from node.acceptor import Acceptor, Handlers
from node.identification import NotStorable
from node.reactor import Requested
from node.receive import Arrival, NotASender, OtherContent, WrongObject
from node.status import StoreStatus
from node.store_command import Answer
from node.tls import server_context
from node.watermark import NoRoom

log = logging.getLogger(__name__)


class TooLong(Exception):
    """A data set is longer than the listener takes."""


class Incoming(Protocol):
    """A DICOM file on its way in. Both may raise OSError, NoRoom, DatabaseUnusable or LostRace: not now."""

    def write(self, part: bytes | memoryview) -> None: ...

    def keep(self) -> object:
        """It is whole: make it durable. Raises NotStorable."""

    def drop(self) -> None: ...


Begin = Callable[[Arrival], Incoming]
"""Takes in an object; raises as `Incoming` does."""

Keep = Callable[[bytes, Arrival], object]
"""The same for one that is gathered in memory first."""


@dataclass
class Gathered:
    """An object in memory, for `keep`."""

    whole: Keep
    arrival: Arrival
    content: bytearray = field(default_factory=bytearray)

    def write(self, part: bytes | memoryview) -> None:
        self.content += part

    def keep(self) -> None:
        self.whole(bytes(self.content), self.arrival)

    def drop(self) -> None:
        self.content.clear()


def gathered(keep: Keep) -> Begin:
    return partial(Gathered, keep)


CALLING_TITLE_NOT_RECOGNIZED = (1, 1, 3)  # PS3.8 9.3.4: permanent, of the service user

VERIFICATION = UID("1.2.840.10008.1.1")  # PS3.4 annex A: C-ECHO
UNCOMPRESSED = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
COMPRESSED = (
    JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000, RLELossless,
)  # fmt: skip
IMAGES = (
    CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage, SegmentationStorage,
    LABEL_MAP_SEGMENTATION,
)  # fmt: skip
DOCUMENTS = (
    ComprehensiveSRStorage, Comprehensive3DSRStorage, EnhancedSRStorage, ExtensibleSRStorage,
    KeyObjectSelectionDocumentStorage, RTStructureSetStorage,
)  # fmt: skip

CONTEXTS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(IMAGES, (*UNCOMPRESSED, *COMPRESSED)),
    **dict.fromkeys(DOCUMENTS, UNCOMPRESSED),
}
"""The transfer syntaxes that the node accepts, by SOP class."""


@dataclass(frozen=True)
class Reporting:
    """Who else may associate, to report on storage commitment and for nothing else, and who takes the report.

    `take` is given Event Type ID, Event Information and the sender's AE title, and gives the status to answer.
    """

    ae_titles: Sequence[str]
    take: Callable[[int | None, Dataset, str], int]


Alarm = Callable[[str, str, str], None]
"""Is told of a rejected association: calling AE title, address, called AE title."""


@contextmanager
def listening(
    settings: Listener,
    begin: Begin,
    contexts: Mapping[str, Sequence[str]] = CONTEXTS,
    *,
    reporting: Reporting | None = None,
    alarm: Alarm | None = None,
) -> Iterator[int]:
    """A storage and verification SCP for as long as the block runs; gives the port it listens on."""
    _config.VALIDATORS["UI"] = _any_uid
    _config.LOG_HANDLER_LEVEL = "none"  # a line for each message, made also where nobody reads it
    ae = Acceptor(ae_title=settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = implementation_version_name(version("sedas-node"))
    ae.require_called_aet = True
    ae.require_calling_aet = [*settings.calling_ae_titles, *(reporting.ae_titles if reporting else ())]
    ae.maximum_associations = settings.maximum_associations
    ae.maximum_pdu_size = settings.maximum_pdu_bytes
    ae.network_timeout = ae.acse_timeout = settings.network_timeout_s
    ae.add_supported_context(VERIFICATION, list(UNCOMPRESSED))
    for sop_class, transfer_syntaxes in contexts.items():
        ae.add_supported_context(sop_class, list(transfer_syntaxes))
    ae.begin = partial(_begin, _from_senders(begin, settings, reporting), settings.maximum_object_bytes)
    handlers: Handlers = [
        (evt.EVT_REQUESTED, on_requested, [settings, alarm]),
        (evt.EVT_C_ECHO, on_c_echo),
        (evt.EVT_REJECTED, on_rejected, [alarm]),
    ]
    if reporting is not None and reporting.ae_titles:
        # The peer reports as its SCP.
        ae.add_supported_context(PUSH_MODEL, list(UNCOMPRESSED), scu_role=False, scp_role=True)
        handlers.append((evt.EVT_N_EVENT_REPORT, on_report, [reporting]))
    context = None if settings.tls is None else server_context(settings.tls)
    try:
        yield ae.serve((settings.host, settings.port), context, handlers)
    finally:
        ae.shutdown()


def _any_uid(_: object) -> tuple[bool, str]:
    """A command that names an impossible UID gets an answer; pynetdicom would end the association instead."""
    return True, ""


def _from_senders(begin: Begin, settings: Listener, reporting: Reporting | None) -> Begin:
    """`begin`, but nothing of who may associate only to report."""
    others = set(reporting.ae_titles if reporting else ()) - set(settings.calling_ae_titles)

    def begin_or_refuse(arrival: Arrival) -> Incoming:
        if arrival.calling_ae_title in others:
            raise NotASender("this AE title is no sender here")
        return begin(arrival)

    return begin_or_refuse


REFUSALS = (NotStorable, NoRoom, TooLong, OSError, DatabaseUnusable, LostRace)


class Storing:
    """The data set of a C-STORE as it comes; what goes wrong meanwhile is answered when the sender is done."""

    def __init__(self, begin: Begin, arrival: Arrival, transfer_syntax: UID, maximum_bytes: int) -> None:
        self.arrival = arrival
        self._maximum = maximum_bytes
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
            if self._size > self._maximum:
                raise TooLong(f"longer than {self._maximum} bytes")
            self._incoming.write(fragment)
        except REFUSALS as error:
            self._fail(error)

    def answer(self) -> Answer:
        facts = {"sender": self.arrival.calling_ae_title, "sop_instance_uid": self.arrival.sop_instance_uid}
        try:
            self._keep()
        except REFUSALS as error:
            return _refusal(error, facts)
        except Exception as error:
            log.exception("cannot store", extra={**facts, "reason": type(error).__name__})
            return Answer(StoreStatus.UNFORESEEN, "a fault of the node")
        log.debug("object stored", extra=facts)
        return Answer(StoreStatus.SUCCESS)

    def _keep(self) -> None:
        if self._failure is not None:
            raise self._failure
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.keep()

    def drop(self) -> None:
        """The rest will not come."""
        if self._incoming is not None:
            self._incoming.drop()
            self._incoming = None

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self.drop()


def _begin(begin: Begin, maximum_bytes: int, requested: Requested) -> Storing:
    arrival = Arrival(
        calling_ae_title=requested.calling_ae_title,
        sop_class_uid=requested.abstract_syntax,  # what was negotiated, whatever the command says
        sop_instance_uid=requested.sop_instance_uid,
    )
    return Storing(begin, arrival, UID(requested.transfer_syntax), maximum_bytes)


def _file_meta(arrival: Arrival, transfer_syntax: UID) -> bytes:
    """What stands before the data set in a file (PS3.10 7.1), the same in every version of this software."""
    head, tail = _around_the_instance(arrival.sop_class_uid, transfer_syntax)
    uid = arrival.sop_instance_uid.encode(
        "latin-1", "replace"
    )  # as it was named: whether it is one is not asked here
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


def on_c_echo(event: Event) -> int:
    log.info("echo answered", extra={"sender": event.assoc.requestor.ae_title})
    return StoreStatus.SUCCESS


def on_report(event: Event, reporting: Reporting) -> tuple[int, None]:
    return reporting.take(event.event_type, event.event_information, event.assoc.requestor.ae_title), None


def on_requested(event: Event, settings: Listener, alarm: Alarm | None) -> None:
    """Reject a known title from an address that is not its own; titles are pynetdicom's to check (PS3.8 9.3.4)."""
    requestor = event.assoc.requestor
    title = cast("A_ASSOCIATE", requestor.primitive).calling_ae_title or ""
    if settings.admits(title, requestor.address):
        return
    event.assoc.acse.send_reject(*CALLING_TITLE_NOT_RECOGNIZED)
    event.assoc.kill()  # once it is sent
    on_rejected(event, alarm, "not one of its addresses")


def on_rejected(event: Event, alarm: Alarm | None, reason: str = "a title or a limit") -> None:
    requestor = event.assoc.requestor
    request = cast("A_ASSOCIATE", requestor.primitive)  # ae_title is not set yet where `on_requested` rejects
    sender, called = request.calling_ae_title or "", request.called_ae_title or ""
    facts = {"sender": sender, "address": requestor.address, "called": called, "reason": reason}
    log.warning("association rejected", extra=facts)
    if alarm is not None:
        alarm(sender, requestor.address, called)


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
