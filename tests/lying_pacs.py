"""A PACS over TCP that stores, commits and reports as a test tells it to, truly or not."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any, cast

from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.dimse_messages import N_ACTION_RSP
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation

PUSH_MODEL = UID("1.2.840.10008.1.20.1")
PUSH_MODEL_INSTANCE = UID("1.2.840.10008.1.20.1.1")
TAKEN = (
    Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage,
    SecondaryCaptureImageStorage, SegmentationStorage, KeyObjectSelectionDocumentStorage,
)  # fmt: skip

Named = tuple[str, str]
"""SOP class and instance."""


@dataclass(frozen=True)
class Report:
    """An N-EVENT-REPORT before it is encoded."""

    transaction_uid: str
    committed: Sequence[Named]
    failed: Sequence[tuple[Named, int]] = ()

    @property
    def event_type(self) -> int:
        return 2 if self.failed else 1

    def encoded(self) -> Dataset:
        ds = Dataset()
        ds.TransactionUID = self.transaction_uid
        if self.committed:
            ds.ReferencedSOPSequence = [_reference(named) for named in self.committed]
        if self.failed:
            ds.FailedSOPSequence = [_reference(named, reason) for named, reason in self.failed]
        return ds


def _reference(named: Named, reason: int | None = None) -> Dataset:
    ds = Dataset()
    ds.ReferencedSOPClassUID, ds.ReferencedSOPInstanceUID = named
    if reason is not None:
        ds.FailureReason = reason
    return ds


Lie = Callable[[Report], Report]
"""Makes something else of the true report."""


def true(report: Report) -> Report:
    return report


def of_another_transaction(report: Report) -> Report:
    return replace(report, transaction_uid="2.25.1")


def with_another_instance(report: Report) -> Report:
    (sop_class, _), *others = report.committed
    return replace(report, committed=[(sop_class, "2.25.2"), *others])


def with_another_class(report: Report) -> Report:
    (_, instance), *others = report.committed
    return replace(report, committed=[("1.2.840.10008.5.1.4.1.1.2", instance), *others])


def with_one_more(report: Report) -> Report:
    return replace(report, committed=[*report.committed, (SecondaryCaptureImageStorage, "2.25.3")])


def with_one_missing(report: Report) -> Report:
    return replace(report, committed=report.committed[1:])


def with_a_failure(reason: int) -> Lie:
    def failing(report: Report) -> Report:
        first, *others = report.committed
        return replace(report, committed=others, failed=[(first, reason)])

    return failing


@dataclass
class LyingPacs:
    """What it is told to do, and what it was sent and asked."""

    classes: Sequence[str] = TAKEN
    statuses: dict[str, int] = field(default_factory=dict)  # of C-STORE by SOP class; else 0000
    aborts: bool = False  # takes the association and aborts at the first object
    stored: list[str] = field(default_factory=list)  # SOP Instance UIDs, in order
    requests: list[Report] = field(default_factory=list)  # each as its true report
    action_status: int = 0x0000
    before_answer: Callable[[Report, Association], object] | None = None  # inside N-ACTION
    after_answer: Callable[[Report, Association], object] | None = None  # on the association, answer given
    told: list[int] = field(default_factory=list)  # the statuses that its reports met
    port: int = 0
    node_port: int = 0
    _speaking: list[Thread] = field(default_factory=list)

    def report(self, report: Report) -> int | None:
        """Send it on a new association, as its SCP; gives the status of the answer."""
        ae = AE("PACS")
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
        role: SCP_SCU_RoleSelectionNegotiation = build_role(PUSH_MODEL, scp_role=True)
        association = ae.associate(
            "127.0.0.1", self.node_port, [build_context(PUSH_MODEL)], "SEDAS", ext_neg=[role]
        )
        assert association.is_established
        try:
            return self.report_on(report, association)
        finally:
            association.release()

    def report_on(self, report: Report, association: Association) -> int | None:
        """The same on an association that is open already."""
        answer, _ = association.send_n_event_report(
            report.encoded(), report.event_type, PUSH_MODEL, PUSH_MODEL_INSTANCE
        )
        status = cast("int | None", answer.get("Status"))
        if status is not None:
            self.told.append(status)
        return status

    def spoken(self) -> None:
        """Wait until it has said all that it had to say after its answers."""
        while self._speaking:
            self._speaking.pop().join(20)

    def _store(self, event: Event) -> int:
        request: Any = event.request
        if self.aborts:
            event.assoc.abort()
            return 0x0000
        status = self.statuses.get(str(request.AffectedSOPClassUID), 0x0000)
        if status in (0x0000, 0xB000):
            self.stored.append(str(request.AffectedSOPInstanceUID))
        return status

    def _action(self, event: Event) -> tuple[int, None]:
        ds = event.action_information
        items = [
            (str(i.ReferencedSOPClassUID), str(i.ReferencedSOPInstanceUID)) for i in ds.ReferencedSOPSequence
        ]
        request = Report(str(ds.TransactionUID), items)
        self.requests.append(request)
        if self.before_answer is not None:
            self.before_answer(request, event.assoc)
        return self.action_status, None

    def _sent(self, event: Event) -> None:
        if self.after_answer is not None and isinstance(event.message, N_ACTION_RSP):
            thread = Thread(target=self.after_answer, args=(self.requests[-1], event.assoc))
            self._speaking.append(thread)
            thread.start()


@contextmanager
def lying_pacs(pacs: LyingPacs) -> Iterator[LyingPacs]:
    """It listens while the block runs, on a port that it had before, or a free one."""
    ae = AE("PACS")
    ae.require_called_aet = True
    for sop_class in pacs.classes:
        ae.add_supported_context(sop_class)
    ae.add_supported_context(PUSH_MODEL)
    handlers: list[EventHandlerType] = [
        (evt.EVT_C_STORE, pacs._store),
        (evt.EVT_N_ACTION, pacs._action),
        (evt.EVT_DIMSE_SENT, pacs._sent),
    ]
    server: Any = ae.start_server(("127.0.0.1", pacs.port), block=False, evt_handlers=handlers)
    pacs.port = server.socket.getsockname()[1]
    try:
        yield pacs
    finally:
        pacs.spoken()
        ae.shutdown()
