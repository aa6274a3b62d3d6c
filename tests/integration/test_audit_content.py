"""What leaves a study's life in the audit trail: no word of whose it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from db import audit
from dicom_out.rejection import Reason
from node.audit_export import Telling
from node.audit_heads import export_head
from node.audit_messages import xml
from node.withdrawal import withdraw_study
from tests.held import Node, recipient
from tests.nodes import recording_pacs

PATIENT = ("PatientName", "PatientID", "PatientBirthDate")


@pytest.fixture
def node(held: Path, tmp_path: Path) -> Iterator[Node]:
    """A node that has received, analysed, delivered and withdrawn a study."""
    with recording_pacs() as pacs:
        node = Node.copied(held, tmp_path / "node", recipient("pacs", pacs.port))
        node.release()
        node.deliver()
        withdraw_study(
            node.sessions, node.job()["study_instance_uid"], Reason.QUALITY, node.settings, now=node.now
        )
        node.deliver()
        assert node.job()["state"] == "WITHDRAWN"
        yield node
        node.close()


def _patient(node: Node) -> list[str]:
    image = dcmread(next(node.settings.storage.spool.rglob("*.dcm")))
    words = [word for keyword in PATIENT for word in str(image[keyword].value).split("^") if word]
    assert len(words) >= len(PATIENT)
    return words


def test_no_word_of_the_patient_is_in_the_trail(node: Node) -> None:
    export_head(node.sessions, node.settings.audit_head_file, now=node.now)
    with node.sessions() as session:
        rows = [
            " ".join(str(value) for name, value in vars(row).items() if not name.startswith("_"))
            for row in audit.trail(session)
        ]
    written = "\n".join([*rows, node.settings.audit_head_file.read_text(), *_messages(node)])
    assert "withdrawal delivered" in written
    assert "DICOM Instances Transferred" in written
    assert [word for word in _patient(node) if word in written] == []


def _messages(node: Node) -> list[str]:
    """As an audit record repository would get them."""
    with node.sessions() as session:
        telling = Telling(session, node.settings, "ct1")
        return [xml(message).decode() for row in audit.trail(session) for message in telling.of(row)]


def test_the_whole_life_of_a_study_is_told(node: Node) -> None:
    told = [message.split('originalText="')[1].split('"')[0] for message in _messages(node)]
    study = ["DICOM Instances Transferred", "DICOM Instances Accessed"]
    sent = ["Begin Transferring DICOM Instances", "DICOM Instances Transferred"]
    assert told == [*study, *sent, *sent]
