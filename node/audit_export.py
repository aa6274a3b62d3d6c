"""The audit trail as audit messages, sent to the audit record repository in order and without gaps.

Rows that no message of PS3.15 A.5.3 speaks of (a lost lease, say) are passed over.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from config.settings import Settings
from db import audit_export, deliveries, instances
from db.deliveries import ARRIVED
from db.models import AuditEvent, Delivery, DeliveryState, Job, ObjectRole
from db.session import Session, Sessions
from db.states import Event, State
from node import audit_messages as messages
from node.audit_messages import Alert, Message, Process, Result, Study, xml
from node.rejections import REJECTED, caller_of
from node.retry import resend_after
from node.syslog import Record, Repository

log = logging.getLogger(__name__)

STARTED, STOPPED = "started", "stopped"
"""Audit events of a program, which the detail names first."""

AT_ONCE = 200  # rows on one connection

LOOKED_AT = (Event.STUDY_COMPLETE, Event.NOT_ELIGIBLE)
BEGINNING = (
    Event.RESULTS_STORED, Event.RELEASED, Event.DELIVERY_RETRIED, Event.WITHDRAWAL_ASKED,
    Event.WITHDRAWAL_RETRIED,
)  # fmt: skip
ENDING = (
    Event.SENT, Event.DELIVERED, Event.DELIVERY_REFUSED, Event.WITHDRAWAL_DELIVERED, Event.WITHDRAWAL_REFUSED,
)  # fmt: skip
OF_NOTES = (
    Event.WITHDRAWAL_ASKED, Event.WITHDRAWAL_RETRIED, Event.WITHDRAWAL_DELIVERED, Event.WITHDRAWAL_REFUSED,
)  # fmt: skip


def export_trail(
    sessions: Sessions, repository: Repository, settings: Settings, now: Callable[[], datetime]
) -> None:
    """Send every row that has not arrived, unless the repository has to be left alone for a while."""
    with sessions() as session:
        resume_at = audit_export.progress(session).next_attempt_at
    if resume_at is not None and now() < resume_at:
        return
    while _export_some(sessions, repository, settings, now):
        pass


def _export_some(
    sessions: Sessions, repository: Repository, settings: Settings, now: Callable[[], datetime]
) -> bool:
    """Whether there may be more."""
    with sessions() as session:
        rows = audit_export.waiting(session, most=AT_ONCE)
        telling = Telling(session, settings, repository.own_host)
        records = [Record(row.at, row.id, xml(message)) for row in rows for message in telling.of(row)]
    try:
        if records:
            repository.send(records, timeout_s=settings.delivery.timeout_s)
    except OSError as error:
        with sessions.begin() as session:
            wait = resend_after(settings.delivery, audit_export.progress(session).attempts + 1)
            audit_export.failed(session, next_attempt_at=now() + wait)
        log.warning("audit export waits", extra={"reason": str(error), "wait_s": wait.total_seconds()})
        return False
    if rows:
        with sessions.begin() as session:
            audit_export.arrived(session, rows[-1].id)
    return len(rows) == AT_ONCE


@dataclass(frozen=True)
class Telling:
    """What rows of the trail mean to an audit record repository."""

    session: Session
    settings: Settings
    host: str

    def of(self, row: AuditEvent) -> Iterator[Message]:
        if row.event in (STARTED, STOPPED):
            yield self._activity(row)
        elif row.event == REJECTED:
            yield self._alert(row)
        elif row.event in LOOKED_AT:
            yield from self._received(row)
        elif row.event == Event.CLAIMED:
            yield self._message(row, messages.INSTANCES_ACCESSED, "R", self._node)
        elif row.event in BEGINNING:
            yield from self._begun(row)
        elif row.event in ENDING and (row.event, row.state_before) != (Event.DELIVERED, State.COMMITTING):
            yield from self._ended(row)  # what is committed was sent before, and said to be

    @property
    def _node(self) -> Process:
        return Process(f"sedas-node@{self.host}", self.settings.listener.ae_title, self.host)

    def _message(self, row: AuditEvent, event: messages.Code, action: str, *participants: Process) -> Message:
        study = Study(row.study_instance_uid) if row.study_instance_uid else None
        source = f"{self.settings.listener.ae_title}@{self.host}"
        return Message(row.at, event, action, participants, source, study)

    def _activity(self, row: AuditEvent) -> Message:
        program, _, _ = row.detail.partition(",")
        application = Process(program, None, self.host, role=messages.APPLICATION)
        kind = messages.APPLICATION_START if row.event == STARTED else messages.APPLICATION_STOP
        return replace(self._message(row, messages.APPLICATION_ACTIVITY, "E", application), event_type=kind)

    def _alert(self, row: AuditEvent) -> Message:
        title, address = caller_of(row.detail)
        caller = Process(title, title, address, requests=True)
        return replace(
            self._message(row, messages.SECURITY_ALERT, "E", self._node, caller),
            about=Alert(address, row.detail),
            event_type=messages.NODE_AUTHENTICATION,
            result=Result.MINOR_FAILURE,
        )

    def _received(self, row: AuditEvent) -> Iterator[Message]:
        """From each sender, what of the study had come until then."""
        study = row.study_instance_uid or ""
        come = [i for i in instances.of_study(self.session, study) if i.received_at <= row.at]
        for sender in sorted({i.calling_ae_title for i in come}):
            classes = Counter(i.sop_class_uid for i in come if i.calling_ae_title == sender)
            source = Process(sender, sender, requests=True)
            yield self._transfer(row, messages.INSTANCES_TRANSFERRED, "C", source, self._node, classes)

    def _begun(self, row: AuditEvent) -> Iterator[Message]:
        for to, every in self._by_destination(row):
            classes = _classes([d for d in every if d.state is not DeliveryState.CANCELLED])
            if classes:
                yield self._transfer(row, messages.BEGIN_TRANSFERRING, "E", self._us, to, classes)

    def _ended(self, row: AuditEvent) -> Iterator[Message]:
        for to, every in self._by_destination(row):
            if arrived := _classes([d for d in every if d.state in ARRIVED]):
                yield self._transfer(row, messages.INSTANCES_TRANSFERRED, "R", self._us, to, arrived)
            if refused := _classes([d for d in every if d.state is DeliveryState.PARKED]):
                failed = self._transfer(row, messages.INSTANCES_TRANSFERRED, "R", self._us, to, refused)
                yield replace(failed, result=Result.SERIOUS_FAILURE, description="refused")

    @property
    def _us(self) -> Process:
        return replace(self._node, requests=True)

    def _transfer(
        self,
        row: AuditEvent,
        event: messages.Code,
        action: str,
        source: Process,
        destination: Process,
        classes: Counter[str],
    ) -> Message:
        ends = (replace(source, role=messages.SOURCE), replace(destination, role=messages.DESTINATION))
        return replace(
            self._message(row, event, action, *ends), about=Study(row.study_instance_uid or "", classes)
        )

    def _by_destination(self, row: AuditEvent) -> Iterator[tuple[Process, Sequence[Delivery]]]:
        """The deliveries that the row speaks of: of rejection notes, or of results."""
        job = self.session.get_one(Job, row.job_id)
        notes = row.event in OF_NOTES
        every = [
            d
            for d in deliveries.of_job(self.session, job)
            if (d.object.role is ObjectRole.REJECTION) == notes
        ]
        known = {
            to.name: Process(to.ae_title, to.ae_title, to.host) for to in self.settings.delivery.destinations
        }
        for name in sorted({d.destination for d in every}):
            yield known.get(name, Process(name)), [d for d in every if d.destination == name]


def _classes(every: Sequence[Delivery]) -> Counter[str]:
    return Counter(d.object.sop_class_uid for d in every)
