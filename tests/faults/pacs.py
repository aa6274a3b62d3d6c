"""A PACS that counts what it holds by SOP Instance UID and content, and commits to what it is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.dimse_messages import N_ACTION_RSP
from pynetdicom.events import Event, EventHandlerType

from dicom_out.commitment import PUSH_MODEL, PUSH_MODEL_INSTANCE
from dicom_out.iods import IODS
from tests.faults.load import Target, digest
from tests.lying_pacs import Report

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


@dataclass
class Pacs:
    node: Target
    port: int = 0
    held: dict[str, set[str]] = field(default_factory=dict)  # the digests of what came, by SOP Instance UID
    arrivals: int = 0
    journal: Path | None = None
    reports: int = 0  # that met with success
    _asked: list[Report] = field(default_factory=list)
    _speaking: list[Thread] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def store(self, event: Event) -> int:
        request: Any = event.request
        content = digest(event.encoded_dataset(include_meta=False))
        uid = str(request.AffectedSOPInstanceUID)
        with self._lock:
            self.held.setdefault(uid, set()).add(content)
            self.arrivals += 1
            if self.journal is not None:
                with self.journal.open("a") as lines:
                    lines.write(f"{uid} {content}\n")
        return 0x0000

    def remember(self, journal: Path) -> None:
        """Hold what is written there, and write there what comes."""
        self.journal = journal
        for line in journal.read_text().splitlines() if journal.exists() else ():
            uid, content = line.split()
            self.held.setdefault(uid, set()).add(content)
            self.arrivals += 1

    def asked(self, event: Event) -> tuple[int, None]:
        ds = event.action_information
        items = [
            (str(i.ReferencedSOPClassUID), str(i.ReferencedSOPInstanceUID)) for i in ds.ReferencedSOPSequence
        ]
        self._asked.append(Report(str(ds.TransactionUID), items))
        return 0x0000, None

    def answered(self, event: Event) -> None:
        """Report on an association of its own, as its SCP, once; a node that is away asks again."""
        if isinstance(event.message, N_ACTION_RSP):
            thread = Thread(target=self._report, args=(self._asked[-1],), daemon=True)
            self._speaking.append(thread)
            thread.start()

    def _report(self, true: Report) -> None:
        report = Report(
            true.transaction_uid,
            [item for item in true.committed if item[1] in self.held],
            [(item, 0x0112) for item in true.committed if item[1] not in self.held],
        )
        ae = AE("PACS")
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 5
        role: Any = build_role(PUSH_MODEL, scp_role=True)
        association = ae.associate(
            "127.0.0.1", self.node.port, [build_context(PUSH_MODEL)], "SEDAS", ext_neg=[role]
        )
        if not association.is_established:
            return
        try:
            answer, _ = association.send_n_event_report(
                report.encoded(), report.event_type, PUSH_MODEL, PUSH_MODEL_INSTANCE
            )
            self.reports += answer.get("Status") == 0x0000
        except RuntimeError:  # the node is gone
            return
        if association.is_established:
            association.release()

    def spoken(self) -> None:
        while self._speaking:
            self._speaking.pop().join(10)


@contextmanager
def open_pacs(pacs: Pacs) -> Iterator[Pacs]:
    """It listens while the block runs, on the port that it had before, or a free one."""
    ae = AE("PACS")
    ae.require_called_aet = True
    ae.maximum_associations = 20
    for sop_class in IODS:
        ae.add_supported_context(sop_class, SYNTAXES)
    ae.add_supported_context(PUSH_MODEL)
    handlers: list[EventHandlerType] = [
        (evt.EVT_C_STORE, pacs.store),
        (evt.EVT_N_ACTION, pacs.asked),
        (evt.EVT_DIMSE_SENT, pacs.answered),
    ]
    server: Any = ae.start_server(("127.0.0.1", pacs.port), block=False, evt_handlers=handlers)
    pacs.port = server.socket.getsockname()[1]
    try:
        yield pacs
    finally:
        pacs.spoken()
        ae.shutdown()
