"""A PACS that lies: whatever it says over the network, the ledger says what is known, and asks again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage

from db.models import DeliveryState, ObjectRole
from dicom_out.association import Peer
from dicom_out.scu import send_files
from tests import lying_pacs as lies
from tests.held import FIRST_RETRY_S, Node, recipient
from tests.lying_pacs import TAKEN, Lie, LyingPacs, Report, lying_pacs

INVALID_ARGUMENT, NOT_AUTHORIZED = 0x0115, 0x0124
REPORTS = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)
Start = Callable[..., LyingPacs]


@pytest.fixture
def start() -> Iterator[Callable[[LyingPacs], LyingPacs]]:
    running: list[AbstractContextManager[LyingPacs]] = []

    def start(pacs: LyingPacs) -> LyingPacs:
        running.append(lying_pacs(pacs))
        return running[-1].__enter__()

    yield start
    for one in running:
        one.__exit__(None, None, None)


@pytest.fixture
def pacs(start: Start) -> LyingPacs:
    return start(LyingPacs())


@pytest.fixture
def node(pacs: LyingPacs, held: Path, tmp_path: Path) -> Iterator[Node]:
    """A node that has just released its result to that PACS, which is to commit to it."""
    node = Node.copied(held, tmp_path / "node", recipient("pacs", pacs.port, commitment=True))
    node.listens()
    pacs.node_port = node.port
    node.release()
    yield node
    node.close()


def _sent_and_asked(node: Node, *, stay_s: float = 0.0) -> int:
    """Deliver, ask, and give the number of objects."""
    node.deliver()
    assert node.job()["state"] == "COMMITTING"
    node.ask(stay_s=stay_s)
    return len(node.ledger())


def _mended(node: Node, pacs: LyingPacs) -> None:
    """Asked once more, it tells the truth, and the job is done."""
    node.later()
    node.deliver()
    node.ask()
    pacs.report(pacs.requests[-1])
    assert set(node.objects()) == {"committed"}
    assert node.job()["state"] == "DONE"


def test_the_truth_on_a_new_association(node: Node, pacs: LyingPacs) -> None:
    count = _sent_and_asked(node)
    assert node.objects() == {"unconfirmed": count}
    assert pacs.report(pacs.requests[0]) == 0x0000
    assert node.objects() == {"committed": count}
    assert node.commitments() == [("answered", f"{count} of {count} committed, 0 that were not asked for")]
    assert node.job()["state"] == "DONE"
    assert len(pacs.stored) == len(set(pacs.stored)) == count


def test_the_truth_on_the_same_association(node: Node, pacs: LyingPacs) -> None:
    pacs.after_answer = pacs.report_on
    count = _sent_and_asked(node, stay_s=10)
    pacs.spoken()
    assert pacs.told == [0x0000]
    assert node.objects() == {"committed": count}
    assert node.job()["state"] == "DONE"


def test_a_wrong_transaction_uid_is_refused_and_changes_nothing(node: Node, pacs: LyingPacs) -> None:
    count = _sent_and_asked(node)
    assert pacs.report(lies.of_another_transaction(pacs.requests[0])) == INVALID_ARGUMENT
    assert node.objects() == {"unconfirmed": count}
    assert node.commitments() == [("asked", "")]
    assert node.job()["state"] == "COMMITTING"
    _mended(node, pacs)


def test_a_wrong_transaction_uid_on_the_same_association_does_so_too(node: Node, pacs: LyingPacs) -> None:
    pacs.after_answer = lambda request, association: pacs.report_on(
        lies.of_another_transaction(request), association
    )
    count = _sent_and_asked(node, stay_s=10)
    pacs.spoken()
    assert pacs.told == [INVALID_ARGUMENT]
    assert node.objects() == {"unconfirmed": count}
    pacs.after_answer = None
    _mended(node, pacs)


@pytest.mark.parametrize(
    ("lie", "strange"),
    [(lies.with_another_instance, 1), (lies.with_another_class, 1), (lies.with_one_missing, 0)],
    ids=["changed instance", "changed class", "one missing"],
)
def test_what_is_not_named_as_it_was_sent_stays_unconfirmed(
    node: Node, pacs: LyingPacs, lie: Lie, strange: int
) -> None:
    count = _sent_and_asked(node)
    assert pacs.report(lie(pacs.requests[0])) == 0x0000
    assert node.objects() == {"committed": count - 1, "unconfirmed": 1}
    [progress] = node.job()["deliveries"]
    assert progress["answer"] == "the report does not name it"
    assert progress["waiting_since"] is not None
    assert node.commitments() == [
        ("answered", f"{count - 1} of {count} committed, {strange} that were not asked for")
    ]
    _mended(node, pacs)
    assert pacs.requests[1].committed == pacs.requests[0].committed[:1]
    assert len(pacs.stored) == count  # it was asked again, not sent again


def test_one_more_is_said_and_believed_of_nobody(node: Node, pacs: LyingPacs) -> None:
    count = _sent_and_asked(node)
    pacs.report(lies.with_one_more(pacs.requests[0]))
    assert node.objects() == {"committed": count}
    assert node.commitments() == [("answered", f"{count} of {count} committed, 1 that were not asked for")]


@pytest.mark.parametrize("second", [lies.true, lies.with_a_failure(0x0112)], ids=["the same", "another"])
def test_the_second_of_two_answers_changes_nothing(node: Node, pacs: LyingPacs, second: Lie) -> None:
    count = _sent_and_asked(node)
    assert pacs.report(pacs.requests[0]) == 0x0000
    before = (node.job(), node.commitments())
    node.later(5)
    assert pacs.report(second(pacs.requests[0])) == 0x0000
    assert (node.job(), node.commitments()) == before
    assert node.objects() == {"committed": count}


def test_two_answers_at_the_same_moment_are_one(node: Node, pacs: LyingPacs) -> None:
    count = _sent_and_asked(node)
    both = [threading.Thread(target=pacs.report, args=(pacs.requests[0],)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert pacs.told == [0x0000, 0x0000]
    assert node.objects() == {"committed": count}
    assert node.job()["state"] == "DONE"


def test_without_any_answer_it_is_asked_again_as_another_transaction(node: Node, pacs: LyingPacs) -> None:
    count = _sent_and_asked(node)
    node.later(500)
    node.ask()
    assert len(pacs.requests) == 1
    node.later(100)
    node.ask()
    assert len({r.transaction_uid for r in pacs.requests}) == 2
    assert node.commitments() == [("unanswered", "asked anew"), ("asked", "")]
    [progress] = node.job()["deliveries"]
    assert (progress["objects"], progress["answer"]) == ({"unconfirmed": count}, "commitment asked")
    assert progress["waiting_since"] is not None
    assert len(pacs.stored) == count
    _mended(node, pacs)


def test_a_report_before_our_request_was_answered_counts(node: Node, pacs: LyingPacs) -> None:
    pacs.before_answer = lambda request, _: pacs.report(request)
    count = _sent_and_asked(node)
    assert pacs.told == [0x0000]
    assert node.objects() == {"committed": count}
    assert [state for state, _ in node.commitments()] == ["answered"]
    assert node.job()["state"] == "DONE"


def test_a_report_before_a_refusal_of_our_request_counts_too(node: Node, pacs: LyingPacs) -> None:
    pacs.before_answer = lambda request, _: pacs.report(request)
    pacs.action_status = 0x0110
    count = _sent_and_asked(node)
    assert node.objects() == {"committed": count}
    assert [state for state, _ in node.commitments()] == ["answered"]


def test_a_report_before_the_answer_on_the_same_association_counts(node: Node, pacs: LyingPacs) -> None:
    pacs.before_answer = pacs.report_on
    count = _sent_and_asked(node)
    assert pacs.told == [0x0000]
    assert node.objects() == {"committed": count}
    assert node.job()["state"] == "DONE"


def test_an_abort_in_place_of_the_answer_leaves_it_unconfirmed(node: Node, pacs: LyingPacs) -> None:
    pacs.before_answer = lambda _, association: association.abort()
    count = _sent_and_asked(node)
    assert node.objects() == {"unconfirmed": count}
    assert node.commitments() == [("unanswered", "no valid response")]
    assert node.job()["deliveries"][0]["answer"] == "commitment not asked: no valid response"
    pacs.before_answer = None
    _mended(node, pacs)


@pytest.mark.parametrize("reason", [0x0110, 0x0112, 0x0213])
def test_what_it_has_lost_is_sent_and_asked_about_again(node: Node, pacs: LyingPacs, reason: int) -> None:
    count = _sent_and_asked(node)
    pacs.report(lies.with_a_failure(reason)(pacs.requests[0]))
    assert node.objects() == {"committed": count - 1, "waiting": 1}
    assert node.job()["state"] == "DELIVERING"
    assert f"reason {reason:04X}" in node.job()["deliveries"][0]["answer"]
    _mended(node, pacs)
    assert len(pacs.stored) == count + 1


def test_a_late_word_on_an_object_that_was_lost_since_is_not_believed(node: Node, pacs: LyingPacs) -> None:
    count = _sent_and_asked(node)
    node.later()
    node.ask()
    pacs.report(lies.with_a_failure(0x0112)(pacs.requests[1]))
    node.later()
    node.deliver()
    pacs.report(pacs.requests[0])  # from before it was lost
    assert node.objects() == {"committed": count - 1, "unconfirmed": 1}
    _mended(node, pacs)


def test_a_request_that_is_refused_is_made_again(node: Node, pacs: LyingPacs) -> None:
    pacs.action_status = 0x0213
    count = _sent_and_asked(node)
    assert node.objects() == {"unconfirmed": count}
    assert node.commitments() == [("unanswered", "status 0213")]
    pacs.action_status = 0x0000
    _mended(node, pacs)


def test_a_class_that_is_not_accepted_goes_as_the_next_one(start: Start, held: Path, tmp_path: Path) -> None:
    pacs = start(LyingPacs(classes=TAKEN[2:]))
    node = Node.copied(held, tmp_path / "node", recipient("pacs", pacs.port, commitment=True))
    node.listens()
    pacs.node_port = node.port
    node.release()
    count = len(node.ledger())
    node.deliver()
    assert node.objects() == {"replaced": 1, "unconfirmed": count - 1, "waiting": 1}
    assert node.job()["state"] == "DELIVERING"
    node.deliver()
    node.deliver()
    _in_third_class(node, count)
    node.ask()
    pacs.report(pacs.requests[-1])
    assert node.objects() == {"replaced": 2, "committed": count}
    assert node.job()["state"] == "DONE"
    assert {c for c, _ in pacs.requests[-1].committed} & set(REPORTS) == {EnhancedSRStorage}
    node.close()


def test_a_class_that_is_refused_by_status_goes_as_the_next_one(node: Node, pacs: LyingPacs) -> None:
    pacs.statuses = dict.fromkeys(REPORTS[:2], 0x0122)
    count = len(node.ledger())
    for _ in range(3):
        node.deliver()
    _in_third_class(node, count)
    assert len(pacs.stored) == len(set(pacs.stored)) == count


def _in_third_class(node: Node, count: int) -> None:
    reports = [d for d in node.ledger() if d.object.sop_class_uid in REPORTS]
    assert [(d.object.sop_class_uid, d.state, d.object.role) for d in reports] == [
        (Comprehensive3DSRStorage, DeliveryState.REPLACED, ObjectRole.RESULT),
        (ComprehensiveSRStorage, DeliveryState.REPLACED, ObjectRole.OTHER_CLASS),
        (EnhancedSRStorage, DeliveryState.UNCONFIRMED, ObjectRole.OTHER_CLASS),
    ]
    assert node.objects() == {"replaced": 2, "unconfirmed": count}
    assert node.job()["state"] == "COMMITTING"


def test_where_no_class_is_taken_a_person_is_asked(node: Node, pacs: LyingPacs) -> None:
    pacs.statuses = dict.fromkeys(REPORTS, 0x0122)
    for _ in range(3):
        node.deliver()
    count = len(node.ledger(role=ObjectRole.RESULT))
    assert node.objects() == {"parked": 1, "replaced": 2, "unconfirmed": count - 1}
    node.ask()
    pacs.report(pacs.requests[-1])
    job = node.job()
    assert (job["state"], job["reason"]) == ("FAILED", "1 objects refused: pacs: status 0122")


def test_an_association_that_is_accepted_and_aborted_is_tried_again(node: Node, pacs: LyingPacs) -> None:
    pacs.aborts = True
    node.deliver()
    count = len(node.ledger())
    assert node.objects() == {"waiting": count}
    assert {d.attempts for d in node.ledger()} == {1}
    [progress] = node.job()["deliveries"]
    assert progress["answer"] in ("no valid response", "the association was aborted")
    assert node.job()["state"] == "DELIVERING"
    pacs.aborts = False
    node.deliver()
    assert pacs.stored == []  # it is left alone for a while
    node.later(FIRST_RETRY_S)
    _sent_and_asked(node)
    _mended(node, pacs)
    assert len(pacs.stored) == count


def test_a_warning_is_stored_and_its_words_are_kept(node: Node, pacs: LyingPacs) -> None:
    pacs.statuses = {Comprehensive3DSRStorage: 0xB000}
    count = _sent_and_asked(node)
    assert [d.answer for d in node.ledger() if d.object.sop_class_uid in REPORTS] == ["commitment asked"]
    assert node.objects() == {"unconfirmed": count}
    pacs.report(pacs.requests[0])
    assert node.objects() == {"committed": count}


def test_out_of_resources_is_tried_again(node: Node, pacs: LyingPacs) -> None:
    pacs.statuses = {Comprehensive3DSRStorage: 0xA700}
    node.deliver()
    count = len(node.ledger())
    assert node.objects() == {"unconfirmed": count - 1, "waiting": 1}
    [progress] = node.job()["deliveries"]
    assert progress["answer"] == "status A700"
    pacs.statuses.clear()
    _mended(node, pacs)
    assert len(pacs.stored) == count


def test_what_it_cannot_understand_waits_for_a_person(node: Node, pacs: LyingPacs) -> None:
    pacs.statuses = {Comprehensive3DSRStorage: 0xC000}
    count = _sent_and_asked(node)
    assert node.objects() == {"parked": 1, "unconfirmed": count - 1}
    pacs.report(pacs.requests[0])
    job = node.job()
    assert (job["state"], job["reason"]) == ("FAILED", "1 objects refused: pacs: status C000")
    assert len(pacs.requests[0].committed) == count - 1  # what is not there is not asked about


def test_what_it_has_already_is_there(node: Node, pacs: LyingPacs) -> None:
    pacs.statuses = {Comprehensive3DSRStorage: 0x0111}  # the answer to an earlier attempt was lost
    count = _sent_and_asked(node)
    assert node.objects() == {"unconfirmed": count}
    pacs.report(pacs.requests[0])
    assert node.job()["state"] == "DONE"


def test_nonsense_is_refused(node: Node, pacs: LyingPacs) -> None:
    count = _sent_and_asked(node)
    for transaction_uid in ("", "2.25.4"):
        assert pacs.report(Report(transaction_uid, ())) == INVALID_ARGUMENT
    assert node.objects() == {"unconfirmed": count}


def test_who_may_only_report_cannot_send_images(node: Node, pacs: LyingPacs) -> None:
    image = next(node.settings.storage.spool.rglob("*.dcm"))
    listener = Peer("SEDAS", "127.0.0.1", pacs.node_port)
    for sender, refused in (("PACS", True), ("CT", False)):
        [answer] = send_files([image], listener, calling_ae_title=sender)
        assert (answer.status == NOT_AUTHORIZED) is refused
