"""Withdrawal over the network and by the command; what is routed back to us afterwards; several destinations."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import KeyObjectSelectionDocumentStorage

from db import jobs
from db.models import ObjectRole, Result
from dicom_out.association import Peer
from dicom_out.outcome import Outcome
from dicom_out.rejection import Reason
from dicom_out.scu import send_files
from node import __main__ as command
from node.interventions import retry_job
from node.release import recipients
from node.withdrawal import withdraw_study
from tests.held import Node, recipient
from tests.lying_pacs import TAKEN, LyingPacs, lying_pacs
from tests.peers import free_port

Open = Callable[..., Node]


@pytest.fixture
def until() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def node(held: Path, tmp_path: Path, until: ExitStack) -> Open:
    def node(*destinations: dict[str, Any]) -> Node:
        copied = Node.copied(held, tmp_path / "node", *destinations)
        until.callback(copied.close)
        copied.listens()
        return copied

    return node


def _withdraw(node: Node) -> None:
    withdraw_study(node.sessions, _study(node), Reason.QUALITY, node.settings, now=node.now)


def _study(node: Node) -> str:
    return str(node.job()["study_instance_uid"])


def _away(pacs: LyingPacs) -> AbstractContextManager[LyingPacs]:
    """It has its port, and does not listen there before the block."""
    pacs.port = free_port()
    return lying_pacs(pacs)


def test_a_note_is_committed_to_like_any_object_and_coming_back_starts_nothing(
    node: Open, until: ExitStack
) -> None:
    pacs = until.enter_context(lying_pacs(LyingPacs()))
    sender = node(recipient("pacs", pacs.port, commitment=True))
    pacs.node_port = sender.port
    sender.release()
    sender.deliver()
    _withdraw(sender)
    sender.deliver()
    sender.ask()
    [note] = sender.ledger(role=ObjectRole.REJECTION)
    assert pacs.requests[-1].committed == [(KeyObjectSelectionDocumentStorage, note.sop_instance_uid)]
    pacs.report(pacs.requests[-1])
    before = sender.job()
    assert before["state"] == "WITHDRAWN"
    assert sender.objects() == {"committed": 1, "sent": len(sender.ledger()) - 1}
    everything = sorted(sender.settings.storage.outbox.rglob("*.dcm"))
    assert len(everything) == len(sender.ledger())
    back = list(send_files(everything, Peer("SEDAS", "127.0.0.1", sender.port), calling_ae_title="CT"))
    assert [r.outcome for r in back if r.path and r.path.stem == note.sop_instance_uid] == [Outcome.STORED]
    with sender.sessions() as session:
        assert len(jobs.every(session)) == 1
    assert sender.job() == before


def test_withdrawn_before_the_pacs_was_ever_there_nothing_is_sent_to_it(node: Open) -> None:
    pacs = LyingPacs()
    back = _away(pacs)
    sender = node(recipient("pacs", pacs.port))
    sender.release()
    sender.deliver()
    count = len(sender.ledger())
    assert sender.job()["deliveries"][0]["answer"] == f"no connection to 127.0.0.1 port {pacs.port}"
    _withdraw(sender)
    with back:
        sender.later()
        sender.deliver()
    assert sender.objects() == {"cancelled": count}
    assert pacs.stored == []
    assert sender.job()["state"] == "WITHDRAWN"


def test_what_an_abort_leaves_in_doubt_is_named_when_the_pacs_is_back(node: Open) -> None:
    pacs = LyingPacs(aborts=True)
    with lying_pacs(pacs):
        sender = node(recipient("pacs", pacs.port))
        sender.release()
        sender.deliver()
    doubtful = sender.ledger()[0].sop_instance_uid  # the others came after the abort and never left
    _withdraw(sender)
    sender.deliver()
    assert sender.job()["state"] == "WITHDRAWING"
    [progress] = sender.job()["deliveries"]
    assert progress["objects"] == {"cancelled": len(sender.ledger()) - 1, "waiting": 1}
    assert progress["waiting_since"] is not None
    pacs.aborts = False
    with lying_pacs(pacs):
        sender.later()
        sender.deliver()
    [note] = sender.ledger(role=ObjectRole.REJECTION)
    assert pacs.stored == [note.sop_instance_uid]
    ds = dcmread(sender.settings.storage.outbox / note.object.path)
    [series] = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == [doubtful]
    assert sender.job()["state"] == "WITHDRAWN"


def test_a_pacs_that_takes_no_notes_makes_it_a_matter_for_a_person(node: Open, until: ExitStack) -> None:
    pacs = LyingPacs(classes=TAKEN[:-1])
    with lying_pacs(pacs):
        sender = node(recipient("pacs", pacs.port))
        sender.release()
        sender.deliver()
        _withdraw(sender)
        sender.deliver()
    job = sender.job()
    assert job["state"] == "FAILED"
    assert "not accepted: Key Object Selection Document Storage" in job["reason"]
    pacs.classes = TAKEN
    pacs.stored.clear()
    until.enter_context(lying_pacs(pacs))
    retry_job(sender.sessions, 1, sender.settings.storage, now=sender.now)
    sender.deliver()
    [note] = sender.ledger(role=ObjectRole.REJECTION)
    assert pacs.stored == [note.sop_instance_uid]
    assert sender.job()["state"] == "WITHDRAWN"


def test_of_two_destinations_the_one_that_is_there_gets_everything_at_once(
    node: Open, until: ExitStack
) -> None:
    pacs, archive = until.enter_context(lying_pacs(LyingPacs())), LyingPacs()
    back = _away(archive)
    sender = node(recipient("pacs", pacs.port), recipient("archive", archive.port))
    sender.release()
    sender.deliver()
    count = len(pacs.stored)
    job = sender.job()
    assert job["state"] == "DELIVERING"
    there, away = job["deliveries"]
    assert (there["destination"], there["objects"]) == ("pacs", {"sent": count})
    assert (there["waiting_since"], there["answer"]) == (None, "")
    assert (away["destination"], away["objects"]) == ("archive", {"waiting": count})
    assert away["waiting_since"] is not None
    assert away["next_attempt_at"] > away["waiting_since"]
    assert away["answer"].startswith("no connection")
    with back:
        sender.later()
        sender.deliver()
    assert sorted(archive.stored) == sorted(pacs.stored)
    assert len(pacs.stored) == count
    assert sender.job()["state"] == "DONE"


def test_a_result_returns_to_who_sent_the_study(node: Open, until: ExitStack) -> None:
    home, other, every = (until.enter_context(lying_pacs(LyingPacs())) for _ in range(3))
    sender = node(
        recipient("home", home.port, senders=["CT", "MR"]),
        recipient("other", other.port, senders=["ELSEWHERE"]),
        recipient("every", every.port),
    )
    assert recipients(sender.settings.delivery, {"ELSEWHERE"}) == ["other", "every"]
    sender.release()
    sender.deliver()
    assert [one["destination"] for one in sender.job()["deliveries"]] == ["home", "every"]
    assert home.stored == every.stored != []
    assert other.stored == []
    assert sender.job()["state"] == "DONE"


@pytest.fixture
def say(
    node: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run the command on the node's folder: its exit code, and what it said on either stream."""
    sender = node(recipient("pacs", free_port()))
    config = tmp_path / "config.toml"
    config.write_text(f'[storage]\nfolder = "{sender.settings.storage.folder}"\n')

    def say(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sedas-node", *arguments, "--config", str(config)])
        with pytest.raises(SystemExit) as ended:
            command.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return say


def test_the_command_withdraws_a_study(say: Callable[..., tuple[int, str]]) -> None:
    [before] = json.loads(say("jobs", "--json")[1])
    study = before["study_instance_uid"]
    assert say("withdraw", study, "--reason", "quality") == (
        0, "withdrawn: job 1; see sedas-node jobs for the notes\n",
    )  # fmt: skip
    [after] = json.loads(say("jobs", "--json")[1])
    assert (after["state"], after["withdrawal"]) == ("WITHDRAWN", "quality")
    assert say("withdraw", study, "--reason", "quality") == (
        2, f"sedas-node: study {study}: there are no results to withdraw\n",
    )  # fmt: skip


def test_the_command_withdraws_by_a_model(
    say: Callable[..., tuple[int, str]], held: Path, tmp_path: Path
) -> None:
    original = Node.copied(held, tmp_path / "to look at")
    with original.sessions() as session:
        digest = session.get_one(Result, 1).classifier_digest
    original.close()
    code, said = say("withdraw", "--model", digest[:12], "--reason", "patient_safety")
    assert (code, said.startswith("withdrawn: job 1;")) == (0, True)
    [after] = json.loads(say("jobs", "--json")[1])
    assert (after["state"], after["withdrawal"]) == ("WITHDRAWN", "patient_safety")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--reason", "quality"), "name either a STUDY or, by --model, the digest of a model"),
        (("1.2", "--model", "0" * 12, "--reason", "quality"), "name either a STUDY or"),
        (("1.2", "--reason", "quality"), "study 1.2: there are no results to withdraw"),
        (("--model", "0" * 12, "--reason", "quality"), "there are no results of it to withdraw"),
        (("--model", "XYZ", "--reason", "quality"), "expected 12 to 64 hexadecimal digits"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    say: Callable[..., tuple[int, str]], arguments: tuple[str, ...], complaint: str
) -> None:
    code, said = say("withdraw", *arguments)
    assert code == 2
    assert said.startswith("sedas-node: ")
    assert said.count("\n") == 1
    assert complaint in said
