"""Withdrawal: each destination gets a note on exactly what it may hold, and nothing else leaves any more."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage

from config.settings import Destination
from db import deliveries, jobs, results
from db.models import Delivery, DeliveryState, Job, ObjectRole, Result
from db.states import Event, State
from dicom_out.commitment import Item
from dicom_out.outcome import Outcome, SendResult
from dicom_out.rejection import Reason
from dicom_out.report_classes import CLASSES
from dicom_out.scu import Hear
from node.commitments import hear
from node.interventions import CannotIntervene, release_job, retry_job
from node.outgoing import park_unknown
from node.withdrawal import withdraw_model, withdraw_study
from tests.held import Node, recipient
from tests.lying_pacs import Report

HOUR = timedelta(hours=1)


class Pacs:
    """Two minutes of a PACS's life: by SOP class it answers what it is told to, and keeps what it stores."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.everything = Outcome.STORED
        self.is_silent = False  # whether it stores or not, no answer arrives
        self.stored: list[Dataset] = []
        self.asked: list[tuple[str, list[Item]]] = []
        self.meanwhile: Callable[[], object] | None = None

    def send(self, files: Sequence[Path]) -> list[SendResult]:
        answers = [self._take(dcmread(file)) for file in files]
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return answers

    def _take(self, ds: Dataset) -> SendResult:
        outcome = self.outcomes.get(ds.SOPClassUID, self.everything)
        if outcome is Outcome.STORED:
            self.stored.append(ds)
        if self.is_silent:
            return SendResult(Outcome.TRY_AGAIN, "because", unanswered=True)
        return SendResult(outcome, "" if outcome is Outcome.STORED else "because")

    def request_commitment(
        self, items: Sequence[Item], transaction_uid: str, hear: Hear, *, stay_s: float
    ) -> SendResult:
        del hear, stay_s
        self.asked.append((transaction_uid, list(items)))
        return SendResult(Outcome.STORED)

    @property
    def notes(self) -> list[Dataset]:
        return [ds for ds in self.stored if _is_note(ds)]

    @property
    def results(self) -> set[str]:
        return {ds.SOPInstanceUID for ds in self.stored if not _is_note(ds)}


def _is_note(ds: Dataset) -> bool:
    title = ds.get("ConceptNameCodeSequence")
    return ds.SOPClassUID == KeyObjectSelectionDocumentStorage and title[0].CodeValue in ("113001", "113037")


def _named(note: Dataset) -> set[str]:
    """What the note declares void: the instances of its evidence."""
    return {
        str(item.ReferencedSOPInstanceUID)
        for study in note.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


class Bench(Node):
    """A node whose destinations are objects."""

    def __init__(self, *of: object) -> None:
        super().__init__(*of)  # type: ignore[arg-type]
        self.pacs = {d.name: Pacs() for d in self.settings.delivery.destinations}

    def _destination(self, to: Destination) -> Pacs:
        return self.pacs[to.name]

    def commits(self, name: str = "pacs") -> None:
        """It reports truly on the last request."""
        transaction_uid, items = self.pacs[name].asked[-1]
        said = Report(transaction_uid, [(i.sop_class_uid, i.sop_instance_uid) for i in items])
        hear(self.sessions, self.settings.delivery, 1, said.encoded(), "PACS", now=self.now)

    @property
    def study(self) -> str:
        return str(self.job()["study_instance_uid"])

    def withdraw(self, reason: Reason = Reason.QUALITY) -> list[int]:
        return withdraw_study(self.sessions, self.study, reason, self.settings, now=self.now)

    def retry(self, number: int = 1) -> None:
        retry_job(self.sessions, number, self.settings.storage, now=self.now)

    def made(self, role: ObjectRole = ObjectRole.RESULT) -> set[str]:
        with self.sessions() as session:
            result = session.get_one(Result, 1)
            return {one.sop_instance_uid for one in result.objects if one.role is role}


@pytest.fixture
def bench(held: Path, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    opened: list[Bench] = []

    def open_bench(*destinations: str, commitment: bool = False, released: bool = True) -> Bench:
        there = [recipient(name, 104, commitment=commitment) for name in destinations or ("pacs",)]
        node = Bench.copied(held, tmp_path / "node", *there)
        assert isinstance(node, Bench)
        if released:
            node.release()
        opened.append(node)
        return node

    yield open_bench
    for node in opened:
        node.close()


Open = Callable[..., Bench]


@pytest.mark.parametrize(("reason", "code"), [(Reason.QUALITY, "113001"), (Reason.PATIENT_SAFETY, "113037")])
def test_what_was_delivered_is_named_in_one_note_and_the_job_ends_withdrawn(
    bench: Open, reason: Reason, code: str
) -> None:
    node = bench()
    node.deliver()
    assert node.withdraw(reason) == [1]
    assert (node.job()["state"], node.job()["withdrawal"]) == ("WITHDRAWING", reason.value)
    node.deliver()
    [note] = node.pacs["pacs"].notes
    assert _named(note) == node.pacs["pacs"].results == node.made()
    assert note.ConceptNameCodeSequence[0].CodeValue == code
    assert node.job()["state"] == "WITHDRAWN"
    assert node.objects() == {"sent": len(node.made()) + 1}


def test_each_destination_is_told_what_it_may_hold_and_the_rest_is_cancelled(bench: Open) -> None:
    node = bench("pacs", "archive", "away")
    node.pacs["archive"].outcomes = {Comprehensive3DSRStorage: Outcome.REFUSED}
    node.deliver("pacs", "archive")  # nobody has tried the third one yet
    node.withdraw()
    assert node.objects("away") == {"cancelled": len(node.made())}
    node.deliver()
    for name in ("pacs", "archive"):
        [note] = node.pacs[name].notes
        assert _named(note) == node.pacs[name].results
    assert len(node.pacs["archive"].results) == len(node.made()) - 1
    assert node.pacs["away"].stored == []
    assert node.job()["state"] == "WITHDRAWN"


def test_destinations_that_hold_the_same_get_the_same_note(bench: Open) -> None:
    node = bench("pacs", "archive")
    node.deliver()
    node.withdraw()
    node.deliver()
    [one], [other] = node.pacs["pacs"].notes, node.pacs["archive"].notes
    assert one == other
    assert len(node.made(ObjectRole.REJECTION)) == 1


def test_notes_that_differ_have_places_of_their_own_in_the_result(bench: Open) -> None:
    node = bench("pacs", "archive")
    node.pacs["archive"].outcomes = {Comprehensive3DSRStorage: Outcome.REFUSED}
    node.deliver()
    node.withdraw()
    with node.sessions() as session:
        ranks = [one.rank for one in session.get_one(Result, 1).objects]
    assert ranks == list(range(len(node.made()) + 2))


def test_what_was_tried_without_an_answer_may_be_there(bench: Open) -> None:
    node = bench()
    node.pacs["pacs"].is_silent = True
    node.deliver()
    node.withdraw()
    assert node.objects() == {"cancelled": len(node.made()), "waiting": 1}
    node.pacs["pacs"].is_silent = False
    node.deliver()
    [note] = node.pacs["pacs"].notes
    assert _named(note) == node.made()
    assert node.job()["state"] == "WITHDRAWN"


def test_what_was_refused_after_a_try_without_an_answer_may_be_there(bench: Open) -> None:
    node = bench()
    node.pacs["pacs"].is_silent = True
    node.deliver()
    node.pacs["pacs"].is_silent = False
    node.pacs["pacs"].everything = Outcome.REFUSED
    node.now += HOUR
    node.deliver()
    assert node.job()["state"] == "FAILED"
    node.pacs["pacs"].everything = Outcome.STORED
    node.withdraw()
    node.deliver()
    [note] = node.pacs["pacs"].notes
    assert _named(note) == node.made()


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.TRY_AGAIN, Outcome.CLASS_REFUSED])
def test_what_was_refused_or_never_reached_it_is_not_there_however_often_it_was_tried(
    bench: Open, outcome: Outcome
) -> None:
    node = bench()
    node.pacs["pacs"].everything = outcome
    for _ in range(3):
        node.deliver()
        if node.job()["state"] == "FAILED":
            node.retry()
        node.now += HOUR
    node.withdraw()
    assert node.job()["state"] == "WITHDRAWN"
    node.deliver()
    assert node.pacs["pacs"].stored == []


def test_the_note_for_a_destination_that_is_gone_waits_for_a_person(bench: Open) -> None:
    node = bench()
    node.pacs["pacs"].is_silent = True
    node.deliver()
    park_unknown(node.sessions, {"archive"}, now=node.now)
    node.withdraw()
    park_unknown(node.sessions, {"archive"}, now=node.now)
    job = node.job()
    assert (job["state"], job["reason"]) == (
        "FAILED", "1 objects refused: pacs: this destination is not configured",
    )  # fmt: skip
    node.retry()
    node.pacs["pacs"].is_silent = False
    node.deliver()
    [note] = node.pacs["pacs"].notes
    assert _named(note) == node.made()


def test_a_report_in_another_class_is_named_and_the_one_in_its_own_is_not(bench: Open) -> None:
    node = bench()
    node.pacs["pacs"].outcomes = {CLASSES[0]: Outcome.CLASS_REFUSED}
    node.deliver()
    node.deliver()
    node.withdraw()
    node.deliver()
    [note] = node.pacs["pacs"].notes
    assert _named(note) == node.pacs["pacs"].results
    assert _named(note) & node.made(ObjectRole.OTHER_CLASS)


def test_withdrawn_while_the_destination_has_yet_to_commit(bench: Open) -> None:
    node = bench(commitment=True)
    node.deliver()
    node.ask()
    count = len(node.made())
    node.withdraw()
    assert node.objects() == {"sent": count, "waiting": 1}  # it has them: that much is known
    node.commits()  # a report that comes late
    assert node.objects() == {"sent": count, "waiting": 1}
    node.deliver()
    assert node.objects() == {"sent": count, "unconfirmed": 1}
    assert node.job()["state"] == "WITHDRAWING"
    node.ask()
    [note] = node.pacs["pacs"].notes
    assert node.pacs["pacs"].asked[-1][1] == [Item(note.SOPClassUID, note.SOPInstanceUID)]
    node.commits()
    assert node.objects() == {"sent": count, "committed": 1}
    assert node.job()["state"] == "WITHDRAWN"


def test_withdrawn_while_it_was_being_sent(bench: Open) -> None:
    node = bench(commitment=True)
    node.pacs["pacs"].meanwhile = node.withdraw
    node.deliver()
    count = len(node.made())
    assert node.objects() == {"cancelled": count, "waiting": 1}
    assert {d.answer for d in node.ledger(role=ObjectRole.RESULT)} == {
        "withdrawn before it was known to be there; then stored"
    }
    node.deliver()
    [note] = node.pacs["pacs"].notes
    assert _named(note) == node.pacs["pacs"].results == node.made()
    assert node.pacs["pacs"].stored[-1] == note


def test_a_note_that_arrives_while_the_objects_are_still_being_answered(bench: Open) -> None:
    node = bench()

    def withdraw_and_send_the_note() -> None:
        node.withdraw()
        node.deliver()

    node.pacs["pacs"].meanwhile = withdraw_and_send_the_note
    node.deliver()
    assert node.job()["state"] == "WITHDRAWN"
    assert node.objects() == {"cancelled": len(node.made()), "sent": 1}
    assert len(node.pacs["pacs"].notes) == 1


def test_a_report_refused_while_it_is_withdrawn_does_not_go_as_another_class(bench: Open) -> None:
    node = bench()
    node.pacs["pacs"].outcomes = {CLASSES[0]: Outcome.CLASS_REFUSED}
    node.pacs["pacs"].meanwhile = node.withdraw
    node.deliver()
    node.deliver()
    assert node.made(ObjectRole.OTHER_CLASS) == set()
    assert node.job()["state"] == "WITHDRAWN"


def test_held_results_are_withdrawn_without_a_word_to_anybody(bench: Open) -> None:
    node = bench(released=False)
    node.withdraw()
    assert node.job()["state"] == "WITHDRAWN"
    node.deliver()
    assert node.pacs["pacs"].stored == []
    with pytest.raises(CannotIntervene, match="WITHDRAWN; only HELD"):
        release_job(node.sessions, 1, node.settings.storage, node.settings.delivery, now=node.now)


def test_twice_is_refused(bench: Open) -> None:
    node = bench()
    node.deliver()
    node.withdraw()
    for _ in range(2):
        with pytest.raises(CannotIntervene, match="there are no results to withdraw"):
            node.withdraw()
        node.deliver()
    assert len(node.pacs["pacs"].notes) == 1


def test_a_study_without_results_and_one_that_is_being_analysed_are_refused(bench: Open) -> None:
    node = bench()
    with node.sessions.begin() as session:
        job = jobs.image_arrived(session, "1.2", now=node.now)
        jobs.advance(session, job, Event.STUDY_COMPLETE, now=node.now)
        jobs.claim(session, worker="w", lease=HOUR, now=node.now)
    for study in ("1.2", "1.3"):
        with pytest.raises(CannotIntervene, match=f"study {study}: there are no results to withdraw"):
            withdraw_study(node.sessions, study, Reason.QUALITY, node.settings, now=node.now)


def test_a_note_that_is_refused_is_sent_again_by_retry_and_the_results_never(bench: Open) -> None:
    node = bench()
    node.deliver()
    node.pacs["pacs"].everything = Outcome.REFUSED
    node.withdraw()
    node.deliver()
    job = node.job()
    assert (job["state"], job["reason"]) == ("FAILED", "1 objects refused: pacs: because")
    stored = len(node.pacs["pacs"].stored)
    node.pacs["pacs"].everything = Outcome.STORED
    node.retry()
    assert node.job()["state"] == "WITHDRAWING"
    node.deliver()
    assert node.job()["state"] == "WITHDRAWN"
    assert [_is_note(ds) for ds in node.pacs["pacs"].stored[stored:]] == [True]


def test_results_that_were_refused_stay_where_they_are_when_the_note_is_sent_again(bench: Open) -> None:
    node = bench()
    node.pacs["pacs"].outcomes = {Comprehensive3DSRStorage: Outcome.REFUSED}
    node.deliver()
    node.pacs["pacs"].everything = Outcome.REFUSED
    node.withdraw()
    node.deliver()
    node.pacs["pacs"] = Pacs()
    node.retry()
    node.deliver()
    assert [_is_note(ds) for ds in node.pacs["pacs"].stored] == [True]
    assert node.job()["state"] == "WITHDRAWN"


def test_a_note_is_sent_again_though_a_newer_generation_is_there_or_the_images_are_gone(bench: Open) -> None:
    node = bench()
    node.deliver()
    node.pacs["pacs"].everything = Outcome.REFUSED
    node.withdraw()
    node.deliver()
    with node.sessions.begin() as session:
        jobs.image_arrived(session, node.study, now=node.now)
        sources = [
            node.settings.storage.spool / i.path for i in jobs.inputs(session, session.get_one(Job, 1))
        ]
    for source in sources:
        source.unlink()
    node.pacs["pacs"].everything = Outcome.STORED
    node.retry()
    node.deliver()
    assert node.job()["state"] == "WITHDRAWN"


def test_a_result_whose_file_is_gone_is_not_withdrawn_by_halves(bench: Open) -> None:
    node = bench()
    node.deliver()
    with node.sessions() as session:
        first = session.get_one(Result, 1).objects[0]
    (node.settings.storage.outbox / first.path).unlink()
    with pytest.raises(CannotIntervene, match=r"job 1 cannot be withdrawn: object 2\.25"):
        node.withdraw()
    assert node.job()["state"] == "DONE"
    assert node.job()["withdrawal"] is None


def test_by_the_digest_of_a_model_all_that_it_made_is_withdrawn(bench: Open) -> None:
    node = bench()
    node.deliver()
    with node.sessions() as session:
        result = session.get_one(Result, 1)
        digests = (result.classifier_digest, result.segmenter_digest)
    for wrong in ("", "abc", "x" * 12, "A" * 12):
        with pytest.raises(CannotIntervene, match="expected 12 to 64 hexadecimal digits"):
            withdraw_model(node.sessions, wrong, Reason.QUALITY, node.settings, now=node.now)
    with pytest.raises(CannotIntervene, match="there are no results of it to withdraw"):
        withdraw_model(node.sessions, "0" * 12, Reason.QUALITY, node.settings, now=node.now)
    for digest in digests:
        with node.sessions() as session:
            assert [job.id for job in results.jobs_of_model(session, digest[:12])] == [1]
    assert withdraw_model(node.sessions, digests[0][:12], Reason.QUALITY, node.settings, now=node.now) == [1]
    node.deliver()
    assert node.job()["state"] == "WITHDRAWN"


def test_every_generation_of_a_study_is_withdrawn_and_a_new_one_names_none_of_them(bench: Open) -> None:
    node = bench(released=False)
    _second_generation(node)
    node.release()
    with node.sessions.begin() as session:
        third = jobs.image_arrived(session, node.study, now=node.now)
        assert results.sent_before(session, third, CLASSES) is not None
    assert node.withdraw() == [1, 2]
    with node.sessions() as session:
        assert results.sent_before(session, third, CLASSES) is None
        assert [j.state for j in jobs.every(session)] == [State.WITHDRAWN, State.WITHDRAWN, State.RECEIVING]


def test_one_generation_that_cannot_be_withdrawn_keeps_no_other_from_it(bench: Open) -> None:
    node = bench()
    node.deliver()
    _second_generation(node)
    with node.sessions() as session:
        first = session.get_one(Result, 1).objects[0]
    lost = node.settings.storage.outbox / first.path
    content = lost.read_bytes()
    lost.unlink()
    with pytest.raises(
        CannotIntervene, match="1 of 2 jobs are withdrawn; job 1 cannot be withdrawn: object 2"
    ):
        node.withdraw()
    assert (node.job(1)["state"], node.job(2)["state"]) == ("DONE", "WITHDRAWN")
    lost.write_bytes(content)
    assert node.withdraw() == [1]


def _second_generation(node: Bench) -> None:
    """Of the same study, its result held."""
    with node.sessions.begin() as session:
        second = jobs.image_arrived(session, session.get_one(Job, 1).study_instance_uid, now=node.now)
        jobs.advance(session, second, Event.STUDY_COMPLETE, now=node.now)
        jobs.claim(session, worker="w", lease=HOUR, now=node.now)
        session.add(_copy_result(session.get_one(Result, 1), second))
        session.flush()
        jobs.advance(session, second, Event.RESULTS_HELD, now=node.now, owner="w")


def _copy_result(result: Result, job: Job) -> Result:
    facts = {c.name: getattr(result, c.name) for c in Result.__table__.columns if c.name != "job_id"}
    return Result(job_id=job.id, **facts)


def test_the_ledger_of_a_withdrawn_job_names_no_waiting_result(bench: Open) -> None:
    node = bench("pacs", "archive")
    node.deliver("pacs")
    node.withdraw()
    with node.sessions() as session:
        every: Sequence[Delivery] = deliveries.of_job(session, session.get_one(Job, 1))
    waiting = [d for d in every if d.state is DeliveryState.WAITING]
    assert [(d.destination, d.object.role) for d in waiting] == [("pacs", ObjectRole.REJECTION)]
