"""The storage SCP, and the ear for storage commitment reports: which associations and contexts it takes, and how it answers. All of pynetdicom's server side."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import cast

from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
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
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_ASSOCIATE

from config.settings import Listener
from db.jobs import LostRace
from db.session import DatabaseUnusable
from dicom_out.commitment import PUSH_MODEL
from dicom_out.identity import IMPLEMENTATION_CLASS_UID, implementation_version_name
from inference.annotations import LABEL_MAP_SEGMENTATION
from node.acceptor import Acceptor, Handlers, Sizes
from node.receive import Arrival, NotASender, NotStorable, OtherContent, WrongObject
from node.status import StoreStatus
from node.tls import server_context
from node.watermark import NoRoom

log = logging.getLogger(__name__)

Keep = Callable[[bytes, Arrival], object]
"""Makes a DICOM file durable; raises NotStorable, or NoRoom, OSError or DatabaseUnusable when it cannot now."""

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


Refused = Callable[[int], None]
"""Is told of every C-STORE that was not answered with success: the status."""

Alarm = Callable[[str, str, str], None]
"""Is told of a rejected association: calling AE title, address, called AE title."""


@contextmanager
def listening(
    settings: Listener,
    keep: Keep,
    contexts: Mapping[str, Sequence[str]] = CONTEXTS,
    *,
    reporting: Reporting | None = None,
    alarm: Alarm | None = None,
    refused: Refused | None = None,
) -> Iterator[int]:
    """A storage and verification SCP for as long as the block runs; gives the port it listens on."""
    _config.VALIDATORS["UI"] = _any_uid
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
    sizes = Sizes(settings.maximum_object_bytes)
    handlers: Handlers = [
        (evt.EVT_REQUESTED, on_requested, [settings, alarm]),
        (evt.EVT_PDU_RECV, sizes.count),
        (evt.EVT_C_STORE, on_c_store, [_from_senders(keep, settings, reporting), sizes, refused]),
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


def _from_senders(keep: Keep, settings: Listener, reporting: Reporting | None) -> Keep:
    """`keep`, but nothing of who may associate only to report."""
    others = set(reporting.ae_titles if reporting else ()) - set(settings.calling_ae_titles)

    def keep_or_refuse(content: bytes, arrival: Arrival) -> object:
        if arrival.calling_ae_title in others:
            raise NotASender("this AE title is no sender here")
        return keep(content, arrival)

    return keep_or_refuse


def on_c_store(event: Event, keep: Keep, sizes: Sizes, refused: Refused | None = None) -> Dataset:
    answer = _stored(event, keep, sizes)
    if refused is not None and answer.Status != StoreStatus.SUCCESS:
        refused(int(answer.Status))
    return answer


def _stored(event: Event, keep: Keep, sizes: Sizes) -> Dataset:
    sender = event.assoc.requestor.ae_title
    request = cast("C_STORE", event.request)
    arrival = Arrival(
        calling_ae_title=sender,
        sop_class_uid=str(event.context.abstract_syntax),  # what was negotiated, whatever the command says
        sop_instance_uid=str(request.AffectedSOPInstanceUID or ""),
    )
    facts = {"sender": sender, "sop_instance_uid": arrival.sop_instance_uid}
    if (size := sizes.of_last(event.assoc)) > sizes.maximum:
        log.warning("object too long", extra={**facts, "bytes": size})
        return _answer(StoreStatus.OUT_OF_RESOURCES, f"longer than {sizes.maximum} bytes")
    try:
        keep(_as_file(event, arrival), arrival)
    except NotStorable as error:
        log.warning("object refused", extra={**facts, "reason": str(error)})
        return _answer(_status_of(error), str(error))
    except NoRoom:  # which the log hears of once, and not for every object
        return _answer(StoreStatus.OUT_OF_RESOURCES, "disk nearly full, send again later")
    except (OSError, DatabaseUnusable, LostRace) as error:
        log.error("cannot store", extra={**facts, "reason": getattr(error, "strerror", None) or str(error)})
        return _answer(StoreStatus.OUT_OF_RESOURCES, "cannot store now, send again later")
    log.debug("object stored", extra=facts)
    return _answer(StoreStatus.SUCCESS)


def _as_file(event: Event, arrival: Arrival) -> bytes:
    """The data set as it came, behind a file meta that is the same in every version of this software."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(arrival.sop_class_uid)
    meta.add(  # as it was named; whether it is a UID is not asked here
        DataElement("MediaStorageSOPInstanceUID", "UI", arrival.sop_instance_uid, validation_mode=IGNORE)
    )
    meta.TransferSyntaxUID = event.context.transfer_syntax
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "SEDAS"
    buffer = DicomBytesIO()
    buffer.write(bytes(128) + b"DICM")
    write_file_meta_info(buffer, meta)
    return buffer.getvalue() + event.encoded_dataset(include_meta=False)


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


def _answer(status: StoreStatus, comment: str = "") -> Dataset:
    """A C-STORE response; the comment (0000,0902) is LO: at most 64 characters, no patient's name."""
    response = Dataset()
    response.Status = int(status)
    if comment:
        response.ErrorComment = comment[:64]
    return response
