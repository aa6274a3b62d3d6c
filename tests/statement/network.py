"""Services, presentation contexts and association policy, from negotiations with the node's own two sides."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE

from config.settings import Delivery, Listener
from dicom_out.commitment import PUSH_MODEL
from dicom_out.query import STUDY_ROOT_FIND
from dicom_out.report_classes import CLASSES
from inference.annotations import LABEL_MAP_SEGMENTATION
from node import scp
from tests.statement.document import table
from tests.statement.encodings import encodings
from tests.statement.negotiated import Contexts, Side, accepted, proposed

_NAMES = {LABEL_MAP_SEGMENTATION: "Label Map Segmentation Storage"}  # newer than pydicom's dictionary
_USES = {scp.VERIFICATION: "Verification", PUSH_MODEL: "Storage Commitment", STUDY_ROOT_FIND: "Query"}
_PROVIDED_BY_PEER = (PUSH_MODEL,)  # the node is the SCU of these also where it is the acceptor


def network_tables() -> dict[str, str]:
    _, taken = accepted()
    offered = {activity: contexts for activity, (_, contexts) in proposed().items()}
    syntaxes = _lettered([*taken.values(), *(s for contexts in offered.values() for s in contexts.values())])
    return {
        "services": _services(taken, offered.values()),
        "created objects": _created(),
        "transfer syntaxes": _syntax_lists(syntaxes),
        "accepted contexts": table(
            ("SOP class", "UID", "Transfer syntaxes", "Role of the node", "Extended negotiation"),
            (
                (name(uid), str(uid), syntaxes[taken[uid]], _role(uid), _extended(uid))
                for uid in sorted(taken, key=lambda u: (_USES.get(u, ""), name(u)))
            ),
        ),
        "proposed contexts": table(
            ("Activity", "SOP class", "UID", "Transfer syntaxes", "Role of the node", "Extended negotiation"),
            (
                (activity, name(uid), str(uid), syntaxes[contexts[uid]], "SCU", "none")
                for activity, contexts in offered.items()
                for uid in sorted(contexts, key=name)
            ),
        ),
        "association policy": table(("Parameter", "As acceptor", "As initiator"), _policy()),
    }


def name(sop_class_uid: str) -> str:
    return _NAMES.get(UID(sop_class_uid)) or UID(sop_class_uid).name.removesuffix(" SOP Class")


def syntax_name(transfer_syntax_uid: str) -> str:
    return UID(transfer_syntax_uid).name.split(":")[0].split(" (Process")[0]


def _services(taken: Contexts, offered: Iterable[Contexts]) -> str:
    used = {uid for contexts in offered for uid in contexts}
    provided = {uid for uid in taken if uid not in _PROVIDED_BY_PEER}
    rows = (
        (_USES.get(uid, "Storage"), name(uid), str(uid), _yes(uid in used), _yes(uid in provided))
        for uid in sorted(used | taken.keys(), key=lambda u: (_USES.get(u, "Storage"), name(u)))
    )
    return table(("Service", "SOP class", "UID", "SCU", "SCP"), rows)


def _created() -> str:
    """A line for each SOP class of each kind of object."""
    kinds = [*encodings()[0].objects]
    every = {kind: [ds for made in encodings() for ds in made.objects[kind]] for kind in kinds}
    for sop_class in CLASSES[1:]:
        found = [ds for made in encodings() for ds in made.other_classes if ds.SOPClassUID == sop_class]
        every[f"report, where {name(CLASSES[CLASSES.index(sop_class) - 1])} is refused"] = found
    heads = ("Object", "SOP class", "Root template", "Modality", "Series number", "Series description")
    return table(
        heads,
        (
            (kind, *map(_alternatives, zip(*map(_facts, objects), strict=True)))
            for kind, objects in every.items()
        ),
    )


def _facts(ds: Dataset) -> tuple[str, ...]:
    template = (ds.get("ContentTemplateSequence") or [None])[0]
    tid = f"TID {template.TemplateIdentifier} ({template.MappingResource})" if template else ""
    return name(ds.SOPClassUID), tid, ds.Modality, str(ds.SeriesNumber), ds.SeriesDescription


def _alternatives(values: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(values))


def _lettered(lists: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    return {
        syntaxes: chr(ord("A") + n)
        for n, syntaxes in enumerate(sorted(set(lists), key=lambda s: (-len(s), s)))
    }


def _syntax_lists(lettered: Mapping[tuple[str, ...], str]) -> str:
    return table(
        ("List", "Place", "Transfer syntax", "UID"),
        (
            (letter, str(place), syntax_name(uid), uid)
            for syntaxes, letter in lettered.items()
            for place, uid in enumerate(syntaxes, start=1)
        ),
    )


def _role(uid: str) -> str:
    return "SCU (takes reports)" if uid in _PROVIDED_BY_PEER else "SCP"


def _extended(uid: str) -> str:
    return "SCP/SCU Role Selection: the peer is SCP" if uid in _PROVIDED_BY_PEER else "none"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _policy() -> Iterator[tuple[str, str, str]]:
    listener, delivery = Listener(), Delivery()
    acceptor, _ = accepted()
    (initiator,) = {side for side, _ in proposed().values()}
    waits = AE()  # the node leaves pynetdicom's
    yield "Application Context Name", *("1.2.840.10008.3.1.1.1",) * 2
    yield "Implementation Class UID", acceptor.implementation_class_uid, initiator.implementation_class_uid
    yield "Implementation Version Name", _version(acceptor), _version(initiator)
    yield (
        "Maximum PDU size received",
        f"{acceptor.maximum_pdu_bytes} (`listener.maximum_pdu_bytes`)",
        f"{initiator.maximum_pdu_bytes}",
    )
    yield (
        "Simultaneous associations",
        f"{listener.maximum_associations} (`listener.maximum_associations`)",
        "1 to each destination",
    )
    yield "Asynchronous operations window", *("not negotiated: one operation at a time",) * 2
    yield "SOP Class Extended Negotiation", *("none",) * 2
    yield "SCP/SCU Role Selection", "answered for Storage Commitment", "not proposed"
    yield "User identity", "not asked for, not checked", "not proposed"
    yield (
        "Calling and called AE title",
        "both checked",
        "`listener.ae_title` calls the destination's `ae_title`",
    )
    yield (
        "Timeout: negotiation (ACSE)",
        f"{_seconds(listener.network_timeout_s)} (`listener.network_timeout_s`)",
        f"{_seconds(delivery.timeout_s)} (`delivery.timeout_s`)",
    )
    yield (
        "Timeout: answer to an operation (DIMSE)",
        _seconds(waits.dimse_timeout),
        f"{_seconds(delivery.timeout_s)} (same)",
    )
    yield (
        "Timeout: silent association",
        f"{_seconds(listener.network_timeout_s)} (`listener.network_timeout_s`)",
        f"{_seconds(delivery.timeout_s)} (same)",
    )


def _version(side: Side) -> str:
    return f"`{side.implementation_version_name.replace(version('sedas-node'), '(version)')}`"


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:g} s"
