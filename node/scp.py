"""The storage SCP, and the ear for storage commitment reports: which associations and contexts it takes, and how it answers. All of pynetdicom's server side."""

import logging
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import cast

from pydicom.dataset import Dataset
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
from dicom_out.commitment import PUSH_MODEL
from dicom_out.identity import IMPLEMENTATION_CLASS_UID, implementation_version_name
from inference.annotations import LABEL_MAP_SEGMENTATION
from node.acceptor import Acceptor, Handlers
from node.reactor import Requested, Served
from node.receive import Arrival, NotASender
from node.status import StoreStatus
from node.storing import Begin, Incoming, Refused, Rules, Storing
from node.tls import server_context

log = logging.getLogger(__name__)


WAITING_CONNECTIONS = 128  # that nobody has accepted yet
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

Released = Callable[[Collection[str]], None]
"""Is told of an association that its peer has released (PS3.8 7.2): the studies of the objects taken in on it."""


@contextmanager
def listening(
    settings: Listener,
    begin: Begin,
    contexts: Mapping[str, Sequence[str]] = CONTEXTS,
    *,
    listener: socket.socket | None = None,
    reporting: Reporting | None = None,
    alarm: Alarm | None = None,
    refused: Refused | None = None,
    released: Released | None = None,
) -> Iterator[int]:
    """A storage and verification SCP for as long as the block runs; gives the port it listens on.

    It accepts from `listener` where there is one, from which other processes may accept too.
    """
    _config.VALIDATORS["UI"] = _any_uid
    _config.LOG_HANDLER_LEVEL = "none"  # a line for each message, made also where nobody reads it
    ae = Acceptor(ae_title=settings.ae_title)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = implementation_version_name(version("sedas-node"))
    ae.require_called_aet = True
    ae.require_calling_aet = [*settings.calling_ae_titles, *(reporting.ae_titles if reporting else ())]
    ae.has_companions = settings.processes > 1
    ae.maximum_associations = settings.maximum_associations
    ae.maximum_pdu_size = settings.maximum_pdu_bytes
    ae.network_timeout = ae.acse_timeout = settings.network_timeout_s
    ae.add_supported_context(VERIFICATION, list(UNCOMPRESSED))
    for sop_class, transfer_syntaxes in contexts.items():
        ae.add_supported_context(sop_class, list(transfer_syntaxes))
    rules = Rules(settings.maximum_object_bytes, refused)
    ae.begin = partial(_begin, _from_senders(begin, settings, reporting), rules)
    handlers: Handlers = [
        (evt.EVT_REQUESTED, on_requested, [settings, alarm]),
        (evt.EVT_C_ECHO, on_c_echo),
        (evt.EVT_REJECTED, on_rejected, [alarm]),
    ]
    if reporting is not None and reporting.ae_titles:
        # The peer reports as its SCP.
        ae.add_supported_context(PUSH_MODEL, list(UNCOMPRESSED), scu_role=False, scp_role=True)
        handlers.append((evt.EVT_N_EVENT_REPORT, on_report, [reporting]))
    if released is not None:
        handlers.append((evt.EVT_RELEASED, on_released, [released]))
    context = None if settings.tls is None else server_context(settings.tls)
    with nullcontext(listener) if listener is not None else bound(settings) as accepting:
        try:
            yield ae.serve(accepting, context, handlers)
        finally:
            ae.shutdown()


@contextmanager
def bound(settings: Listener) -> Iterator[socket.socket]:
    """A socket that listens at the address of the settings. Raises OSError, with the address, where it cannot."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    address = (settings.host, settings.port)
    with socket.create_server(address, family=family, backlog=WAITING_CONNECTIONS) as listener:
        listener.setblocking(False)  # another process may be quicker to accept
        yield listener


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


def _begin(begin: Begin, rules: Rules, requested: Requested) -> Storing:
    arrival = Arrival(
        calling_ae_title=requested.calling_ae_title,
        sop_class_uid=requested.abstract_syntax,  # what was negotiated, whatever the command says
        sop_instance_uid=requested.sop_instance_uid,
    )
    return Storing(begin, arrival, UID(requested.transfer_syntax), rules, requested.received)


def on_c_echo(event: Event) -> int:
    log.info("echo answered", extra={"sender": event.assoc.requestor.ae_title})
    return StoreStatus.SUCCESS


def on_report(event: Event, reporting: Reporting) -> tuple[int, None]:
    return reporting.take(event.event_type, event.event_information, event.assoc.requestor.ae_title), None


def on_released(event: Event, released: Released) -> None:
    """The peer has its answer already."""
    if studies := cast("Served", event.assoc).studies:
        released(studies)


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
