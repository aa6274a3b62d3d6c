"""What the node proposes and accepts in association negotiation, as a peer on this machine sees it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import (
    AE,
    ALL_TRANSFER_SYNTAXES,
    AllStoragePresentationContexts,
    build_context,
    build_role,
    evt,
)
from pynetdicom.association import Association, ServiceUser
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import (
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)

from config.settings import Destination, Listener, Settings
from dicom_out.association import Peer
from dicom_out.commitment import PUSH_MODEL
from dicom_out.encode import write
from dicom_out.scu import MOST_CONTEXTS, echo, request_commitment, send_files
from node import commission, scp
from node.storing import gathered
from tests.statement.encodings import encodings

HOST = "127.0.0.1"
_OF_EVERY_ASSOCIATION = (
    MaximumLengthNotification,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
)


@dataclass(frozen=True)
class Side:
    """What one side of an association says of itself."""

    maximum_pdu_bytes: int
    implementation_class_uid: str
    implementation_version_name: str
    further_items: tuple[str, ...]  # of user information (PS3.7 D.3.3)


Contexts = dict[UID, tuple[str, ...]]
"""Transfer syntaxes by SOP class, in the order of preference where there is one."""


@cache
def proposed() -> dict[str, tuple[Side, Contexts]]:
    """By activity."""
    made = encodings()[0]
    objects = [*(ds for every in made.objects.values() for ds in every), *made.other_classes]
    with TemporaryDirectory() as folder, _recorder() as (peer, seen):
        list(send_files(write(objects, Path(folder)), peer))
        echo(peer)
        request_commitment([], "1.2.3", peer, _not_heard)
        commission._contexts(cast("Any", SimpleNamespace(site=_site(peer))))
    activities = ("Send results", "Verify", "Ask for storage commitment", "Commission")
    return dict(zip(activities, seen, strict=True))


def _site(peer: Peer) -> SimpleNamespace:
    to = Destination(name="peer", ae_title=peer.ae_title, host=peer.host, port=peer.port)
    return SimpleNamespace(peer=peer, settings=Settings(), to=to)


def _not_heard(event_type: int | None, information: Dataset) -> int:
    raise AssertionError(f"nobody reports here, but {event_type} came: {information}")


@contextmanager
def _recorder() -> Iterator[tuple[Peer, list[tuple[Side, Contexts]]]]:
    """A peer that takes everything and keeps what was proposed to it."""
    seen: list[tuple[Side, Contexts]] = []

    def on_requested(event: Event) -> None:
        requestor = event.assoc.requestor
        contexts: Contexts = defaultdict(tuple)
        for context in requestor.requested_contexts:
            contexts[UID(str(context.abstract_syntax))] += tuple(context.transfer_syntax)
        seen.append((_side(requestor), dict(contexts)))

    ae = AE("PEER")
    for sop_class in (*_storage_classes(), scp.VERIFICATION, PUSH_MODEL):
        ae.add_supported_context(sop_class, ALL_TRANSFER_SYNTAXES)
    handlers: list[Any] = [
        (evt.EVT_REQUESTED, on_requested),
        (evt.EVT_C_STORE, lambda _: 0x0000),
        (evt.EVT_N_ACTION, lambda _: (0x0000, None)),
    ]
    server = cast("Any", ae.start_server((HOST, 0), block=False, evt_handlers=handlers))
    try:
        yield Peer("PEER", HOST, int(server.socket.getsockname()[1])), seen
    finally:
        ae.shutdown()


@cache
def accepted() -> tuple[Side, Contexts]:
    """Of every storage class in every transfer syntax, of verification and of commitment reports."""
    reporting = scp.Reporting(("PEER",), lambda *_: 0x0000)
    settings = Listener(host=HOST, port=0, calling_ae_titles=("PEER",))
    left = {
        UID(uid): list(ALL_TRANSFER_SYNTAXES)
        for uid in (scp.VERIFICATION, PUSH_MODEL, *scp.CONTEXTS, *_storage_classes())
    }
    taken: dict[UID, list[str]] = defaultdict(list)
    side: Side | None = None
    with scp.listening(settings, gathered(lambda *_: None), reporting=reporting) as port:
        while left:
            for sop_classes in _parts(list(left)):
                association = _associate(port, {uid: left[uid] for uid in sop_classes})
                side = side or _side(association.acceptor)
                for context in association.rejected_contexts:
                    del left[UID(str(context.abstract_syntax))]
                for context in association.accepted_contexts:
                    (syntax,) = context.transfer_syntax
                    taken[UID(str(context.abstract_syntax))].append(str(syntax))
                    left[UID(str(context.abstract_syntax))].remove(syntax)
                association.release()
    assert side is not None
    return side, {uid: tuple(syntaxes) for uid, syntaxes in taken.items()}


def _associate(port: int, offered: dict[UID, list[str]]) -> Association:
    contexts = [build_context(uid, syntaxes) for uid, syntaxes in offered.items()]
    roles: list[Any] = [build_role(PUSH_MODEL, scp_role=True)] if PUSH_MODEL in offered else []
    return AE("PEER").associate(HOST, port, contexts=contexts, ae_title="SEDAS", ext_neg=roles)


def _side(user: ServiceUser) -> Side:
    said = user.primitive.user_information if user.primitive else []
    return Side(
        maximum_pdu_bytes=int(user.maximum_length or 0),
        implementation_class_uid=str(user.implementation_class_uid),
        implementation_version_name=str(user.implementation_version_name),
        further_items=tuple(
            sorted({type(item).__name__ for item in said if not isinstance(item, _OF_EVERY_ASSOCIATION)})
        ),
    )


def _storage_classes() -> list[UID]:
    return [UID(str(context.abstract_syntax)) for context in AllStoragePresentationContexts]


def _parts(sop_classes: Sequence[UID]) -> Iterator[Sequence[UID]]:
    for start in range(0, len(sop_classes), MOST_CONTEXTS):
        yield sop_classes[start : start + MOST_CONTEXTS]
