"""Storage commitment: the ledger believes a destination where it speaks of what it was asked, and nowhere else."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from pydicom.dataset import Dataset
from sqlalchemy import text

from db import commitments, deliveries
from db.models import Commitment, CommitmentState, Job
from db.session import Sessions
from db.states import State
from dicom_out.commitment import Item, action_information
from dicom_out.outcome import Outcome, SendResult
from dicom_out.scu import Hear
from node.commitments import ask_due, forgo, hear
from node.status import EventStatus
from tests.outgoing import SETTINGS, Scripted, delivering, ledger, recipient, send, state_of

SOP_CLASS = "1.2"
A, B = Item(SOP_CLASS, "1.2.1"), Item(SOP_CLASS, "1.2.2")
OBJECTS = (A.sop_instance_uid, B.sop_instance_uid)
LATER = timedelta(seconds=SETTINGS.delivery.commitment_answer_s)


@pytest.fixture
def pacs() -> Scripted:
    return Scripted()


@pytest.fixture
def job(sessions: Sessions, now: datetime, pacs: Scripted) -> int:
    """A job whose objects `a` and `b` were sent, and asked about."""
    job = delivering(sessions, now, "pacs", objects=OBJECTS)
    send(sessions, "pacs", pacs, now, commitment=True)
    _ask(sessions, pacs, now)
    return job


def _ask(sessions: Sessions, pacs: Scripted, now: datetime) -> None:
    ask_due(sessions, recipient("pacs", commitment=True), pacs, SETTINGS.delivery, lambda: now)


def _items(sessions: Sessions, job: int) -> dict[Item, str]:
    return {Item(SOP_CLASS, uid): state for uid, state in ledger(sessions, job).items()}


def _report(transaction_uid: str, *committed: Item, failed: dict[Item, int] | None = None) -> Dataset:
    ds = action_information(transaction_uid, committed)
    if failed:
        ds.FailedSOPSequence = action_information(transaction_uid, failed).ReferencedSOPSequence
        for reference, reason in zip(ds.FailedSOPSequence, failed.values(), strict=True):
            reference.FailureReason = reason
    return ds


@pytest.fixture
def tell(sessions: Sessions, pacs: Scripted, now: datetime) -> Callable[..., EventStatus]:
    def tell(
        *committed: Item, failed: dict[Item, int] | None = None, transaction_uid: str | None = None
    ) -> EventStatus:
        report = _report(transaction_uid or pacs.asked[0][0], *committed, failed=failed)
        return hear(sessions, SETTINGS.delivery, 2 if failed else 1, report, "PACS", now=now)

    return tell


def test_a_job_is_done_once_every_object_is_committed(
    sessions: Sessions, job: int, pacs: Scripted, tell: Callable[..., EventStatus]
) -> None:
    assert pacs.asked[0][1] == [A, B]
    assert state_of(sessions, job) is State.COMMITTING
    assert tell(A, B) is EventStatus.SUCCESS
    assert _items(sessions, job) == {A: "committed", B: "committed"}
    assert state_of(sessions, job) is State.DONE


def test_what_the_destination_has_lost_is_sent_and_asked_about_again(
    sessions: Sessions, job: int, pacs: Scripted, now: datetime, tell: Callable[..., EventStatus]
) -> None:
    tell(A, failed={B: 0x0112})
    assert _items(sessions, job) == {A: "committed", B: "waiting"}
    assert state_of(sessions, job) is State.DELIVERING
    send(sessions, "pacs", pacs, now + LATER, commitment=True)
    assert pacs.sent == [*OBJECTS, OBJECTS[1]]
    assert state_of(sessions, job) is State.COMMITTING
    _ask(sessions, pacs, now + LATER)
    assert pacs.asked[1][1] == [B]
    assert pacs.asked[1][0] != pacs.asked[0][0]
    tell(B, transaction_uid=pacs.asked[1][0])
    assert state_of(sessions, job) is State.DONE


@pytest.mark.parametrize("reason", [0x0119, 0x0122])
def test_a_failure_that_the_same_bytes_will_not_mend_waits_for_a_person(
    sessions: Sessions, job: int, tell: Callable[..., EventStatus], reason: int
) -> None:
    tell(A, failed={B: reason})
    assert _items(sessions, job) == {A: "committed", B: "parked"}
    with sessions() as session:
        assert f"reason {reason:04X}" in session.get_one(Job, job).reason


def test_a_report_of_an_unknown_transaction_changes_nothing(
    sessions: Sessions, job: int, tell: Callable[..., EventStatus]
) -> None:
    assert tell(A, B, transaction_uid="1.2.3") is EventStatus.INVALID_ARGUMENT
    assert _items(sessions, job) == {A: "unconfirmed", B: "unconfirmed"}


@pytest.mark.parametrize(
    "told",
    [(A,), (A, Item(SOP_CLASS, "1.2.3")), (A, Item("1.3", "1.2.2"))],
    ids=["one missing", "changed instance", "changed class"],
)
def test_what_is_not_named_as_it_was_sent_is_not_committed_and_asked_about_again(
    sessions: Sessions,
    job: int,
    pacs: Scripted,
    now: datetime,
    tell: Callable[..., EventStatus],
    told: tuple[Item, ...],
) -> None:
    assert tell(*told) is EventStatus.SUCCESS
    assert _items(sessions, job) == {A: "committed", B: "unconfirmed"}
    assert state_of(sessions, job) is State.COMMITTING
    _ask(sessions, pacs, now + LATER)
    assert pacs.asked[1][1] == [B]


def test_an_added_object_is_said_and_not_taken_up(
    sessions: Sessions, job: int, tell: Callable[..., EventStatus], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tell(A, B, Item(SOP_CLASS, "1.2.3"))
    assert _items(sessions, job) == {A: "committed", B: "committed"}
    assert caplog.records[-1].__dict__["answer"] == "2 of 2 committed, 1 that were not asked for"


def test_the_second_report_of_a_transaction_changes_nothing(
    sessions: Sessions, job: int, tell: Callable[..., EventStatus]
) -> None:
    tell(A, B)
    assert tell(A, failed={B: 0x0112}) is EventStatus.SUCCESS
    assert _items(sessions, job) == {A: "committed", B: "committed"}
    assert state_of(sessions, job) is State.DONE


def test_an_object_both_committed_and_failed_has_failed(
    sessions: Sessions, job: int, tell: Callable[..., EventStatus]
) -> None:
    tell(A, B, failed={B: 0x0110})
    assert _items(sessions, job) == {A: "committed", B: "waiting"}


def test_without_a_report_it_is_asked_again_and_a_late_report_still_counts(
    sessions: Sessions, job: int, pacs: Scripted, now: datetime, tell: Callable[..., EventStatus]
) -> None:
    _ask(sessions, pacs, now + LATER / 2)
    assert len(pacs.asked) == 1
    _ask(sessions, pacs, now + LATER)
    assert len(pacs.asked) == 2
    tell(A, B)  # of the first request
    assert state_of(sessions, job) is State.DONE
    assert tell(A, B, transaction_uid=pacs.asked[1][0]) is EventStatus.SUCCESS


def test_a_report_that_overtakes_the_answer_to_its_request_counts(sessions: Sessions, now: datetime) -> None:
    class Hasty(Scripted):
        def request_commitment(
            self, items: Sequence[Item], transaction_uid: str, hear: Hear, *, stay_s: float
        ) -> SendResult:
            assert hear(1, _report(transaction_uid, *items)) == EventStatus.SUCCESS
            return super().request_commitment(items, transaction_uid, hear, stay_s=stay_s)

    for study, takes in (("1.2", Outcome.STORED), ("1.3", Outcome.TRY_AGAIN)):
        pacs = Hasty(takes_request=takes)
        job = delivering(sessions, now, "pacs", study=study, objects=[f"{study}.1", f"{study}.2"])
        send(sessions, "pacs", pacs, now, commitment=True)
        _ask(sessions, pacs, now)
        assert set(ledger(sessions, job).values()) == {"committed"}
        assert state_of(sessions, job) is State.DONE


def test_a_request_that_is_not_taken_is_made_again_later(sessions: Sessions, now: datetime) -> None:
    pacs = Scripted(takes_request=Outcome.TRY_AGAIN)
    job = delivering(sessions, now, "pacs", objects=OBJECTS)
    send(sessions, "pacs", pacs, now, commitment=True)
    _ask(sessions, pacs, now)
    _ask(sessions, pacs, now + timedelta(seconds=10))
    assert len(pacs.asked) == 1
    _ask(sessions, pacs, now + timedelta(seconds=30))
    assert len(pacs.asked) == 2
    assert state_of(sessions, job) is State.COMMITTING
    with sessions() as session:
        first = commitments.find(session, pacs.asked[0][0])
        assert first is not None
        assert (first.state, first.answer) == (CommitmentState.UNANSWERED, "because")


def test_a_destination_without_storage_commitment_waits_for_a_person(
    sessions: Sessions, now: datetime
) -> None:
    pacs = Scripted(takes_request=Outcome.CLASS_REFUSED)
    job = delivering(sessions, now, "pacs", objects=OBJECTS)
    send(sessions, "pacs", pacs, now, commitment=True)
    _ask(sessions, pacs, now)
    with sessions() as session:
        failed = session.get_one(Job, job)
    assert failed.state is State.FAILED
    assert "it takes no storage commitment" in failed.reason


@pytest.mark.parametrize(
    ("event_type", "information"), [(3, action_information("1.2", [])), (None, Dataset()), (1, Dataset())]
)
def test_what_is_no_report_is_refused(
    sessions: Sessions, job: int, now: datetime, event_type: int | None, information: Dataset
) -> None:
    answer = hear(sessions, SETTINGS.delivery, event_type, information, "PACS", now=now)
    assert answer is EventStatus.INVALID_ARGUMENT
    assert set(ledger(sessions, job).values()) == {"unconfirmed"}


def test_every_request_is_kept(sessions: Sessions, job: int, pacs: Scripted) -> None:
    with sessions() as session:
        [kept] = session.query(Commitment)
        assert (kept.transaction_uid, kept.destination) == (pacs.asked[0][0], "pacs")
        assert [d.sop_instance_uid for d in commitments.deliveries_of(session, kept)] == list(OBJECTS)
        assert deliveries.progress(session)[job][0].objects == {"unconfirmed": 2}


@pytest.mark.usefixtures("job")
def test_a_report_that_cannot_be_kept_is_to_come_again(
    sessions: Sessions, tell: Callable[..., EventStatus]
) -> None:
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE commitment_items RENAME TO away"))
    assert tell(A, B) is EventStatus.PROCESSING_FAILURE
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE away RENAME TO commitment_items"))
    assert tell(A, B) is EventStatus.SUCCESS


def test_what_is_no_longer_to_be_committed_to_is_delivered(
    sessions: Sessions, job: int, now: datetime
) -> None:
    forgo(sessions, {"archive"}, now=now)
    assert state_of(sessions, job) is State.COMMITTING
    forgo(sessions, {"pacs"}, now=now)
    assert _items(sessions, job) == {A: "sent", B: "sent"}
    assert state_of(sessions, job) is State.DONE
