"""The audit trail at an audit record repository: in order, nothing lost, nothing doubled, nobody else's ear."""

from base64 import b64decode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from config.load import BadConfig
from config.settings import Settings
from db import audit, audit_export
from db.session import Sessions
from dicom_out.outcome import Outcome
from node import app, checkup
from node.audit_export import STARTED, STOPPED, export_trail
from node.rejections import Rejections
from node.syslog import Repository as Client
from tests.outgoing import Scripted, delivering, send
from tests.peers import wait_for
from tests.repository import Certificates, Repository, certificates, repository

LONG = timedelta(hours=2)  # more than the longest wait


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@dataclass
class Node:
    """The part of a node that exports its trail, on a clock of its own."""

    sessions: Sessions
    settings: Settings
    known: Certificates
    now: datetime
    programs: int = field(default=0)

    def exports(self, port: int) -> None:
        client = Client(self.known.settings(port), "ct1")
        export_trail(self.sessions, client, self.settings, lambda: self.now)

    def happens(self, count: int = 1) -> None:
        """A program starts, and each time another one."""
        for _ in range(count):
            self.programs += 1
            with self.sessions.begin() as session:
                audit.note(session, None, STARTED, now=self.now, detail=f"program {self.programs}, version 1")

    def attempts(self) -> int:
        with self.sessions() as session:
            return audit_export.progress(session).attempts


@pytest.fixture
def node(sessions: Sessions, settings: Settings, known: Certificates, now: datetime) -> Node:
    pacs = {"name": "pacs", "ae_title": "PACS", "host": "192.0.2.1", "port": 104}
    delivery = settings.delivery.model_validate({"destinations": [pacs]})
    return Node(sessions, settings.model_copy(update={"delivery": delivery}), known, now)


def _programs(taken: Repository) -> list[str]:
    return [entry.attribute("ActiveParticipant", "UserID") for entry in taken.entries]


def test_what_happened_arrives_once_and_in_order(node: Node) -> None:
    with repository(node.known) as taken:
        for count in (3, 0, 2):
            node.happens(count)
            node.exports(taken.port)
    assert _programs(taken) == [f"program {n}" for n in range(1, 6)]
    assert [entry.number for entry in taken.entries] == [2, 3, 4, 5, 6]  # row 1 begins the chain
    assert {(entry.event, entry.at) for entry in taken.entries} == {("110100", "2026-11-24T09:30:00.000000Z")}


def test_a_long_queue_takes_several_connections(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.audit_export.AT_ONCE", 2)
    node.happens(5)
    with repository(node.known) as taken:
        node.exports(taken.port)
    assert _programs(taken) == [f"program {n}" for n in range(1, 6)]


def test_what_happens_while_the_repository_is_away_arrives_later(node: Node) -> None:
    with repository(node.known) as taken:
        node.happens()
        node.exports(taken.port)
    node.happens(2)
    for seconds, attempts in ((0, 1), (14, 1), (16, 2)):  # the first wait is 15 s or more, and 30 s or less
        node.now += timedelta(seconds=seconds)
        node.exports(taken.port)
        assert node.attempts() == attempts
    node.happens()
    node.now += LONG
    with repository(node.known, taken.port) as later:
        node.exports(later.port)
        node.exports(later.port)
    assert _programs(taken) + _programs(later) == [f"program {n}" for n in range(1, 5)]
    assert node.attempts() == 0


def test_a_repository_that_hangs_up_half_way_gets_the_rest_again(node: Node) -> None:
    node.happens(4)
    with repository(node.known) as taken:
        taken.hangs_up_after = 2
        node.exports(taken.port)
        assert node.attempts() == 1
        taken.hangs_up_after = None
        node.now += LONG
        node.exports(taken.port)
    assert _programs(taken)[2:] == [f"program {n}" for n in range(1, 5)]
    assert taken.frames[:2] == taken.frames[2:4]  # a repetition is known by its bytes


@pytest.mark.parametrize("wrong", ["ca_file", "host"])
def test_nobody_else_hears_anything(node: Node, known: Certificates, tmp_path: Path, wrong: str) -> None:
    stranger = certificates(tmp_path)
    node.happens()
    with repository(stranger if wrong == "ca_file" else known) as taken:
        settings = known.settings(taken.port)
        if wrong == "host":
            settings = settings.model_copy(update={"host": "127.0.0.1"})  # which is not in the certificate
        export_trail(node.sessions, Client(settings, "ct1"), node.settings, lambda: node.now)
    assert (taken.frames, node.attempts()) == ([], 1)


def test_a_node_without_the_right_certificate_keeps_its_trail(node: Node, known: Certificates) -> None:
    node.happens()
    with repository(known) as taken:
        settings = known.settings(taken.port).model_copy(update={"certificate": None, "key": None})
        export_trail(node.sessions, Client(settings, "ct1"), node.settings, lambda: node.now)
    assert (taken.frames, node.attempts()) == ([], 1)


@pytest.mark.parametrize("name", ["ca_file", "key"])
def test_certificates_that_cannot_be_used_are_said(known: Certificates, tmp_path: Path, name: str) -> None:
    (tmp_path / "rubbish").write_text("rubbish")
    settings = known.settings(6514).model_copy(update={name: tmp_path / "rubbish"})
    with pytest.raises(BadConfig, match=r"audit\.syslog"):
        Client(settings, "ct1")


def test_a_delivered_study_is_told_from_its_arrival_to_its_end(node: Node) -> None:
    job = delivering(node.sessions, node.now, "pacs", study="1.2.840.77")
    send(node.sessions, "pacs", Scripted(), node.now)
    assert job == 1
    with repository(node.known) as taken:
        node.exports(taken.port)
    told = [(e.event, e.attribute("EventIdentification", "EventActionCode")) for e in taken.entries]
    assert told == [("110103", "R"), ("110102", "E"), ("110104", "R")]
    sent = taken.entries[-1]
    assert sent.attribute("EventIdentification", "EventOutcomeIndicator") == "0"
    ends = [p.attrib["AlternativeUserID"] for p in sent.message.findall("ActiveParticipant")]
    assert ends == ["AETITLES=SEDAS", "AETITLES=PACS"]
    assert sent.attribute("ParticipantObjectIdentification", "ParticipantObjectID") == "1.2.840.77"
    assert sent.attribute("ParticipantObjectIdentification/SOPClass", "NumberOfInstances") == "2"


def test_a_refused_object_is_told_as_a_failure(node: Node) -> None:
    delivering(node.sessions, node.now, "pacs")
    send(node.sessions, "pacs", Scripted({"a": Outcome.REFUSED}), node.now)
    with repository(node.known) as taken:
        node.exports(taken.port)
    outcomes = [e.attribute("EventIdentification", "EventOutcomeIndicator") for e in taken.entries]
    assert outcomes == ["0", "0", "0", "8"]


def test_a_rejected_association_is_told_as_an_alert(node: Node) -> None:
    Rejections(node.sessions, lambda: node.now).note("NOBODY", "192.0.2.7", "SEDAS")
    with repository(node.known) as taken:
        node.exports(taken.port)
    [alert] = taken.entries
    assert (alert.event, alert.attribute("EventIdentification/EventTypeCode", "csd-code")) == (
        "110113",
        "110126",
    )
    assert alert.attribute("ActiveParticipant[2]", "NetworkAccessPointID") == "192.0.2.7"
    said = alert.attribute("ParticipantObjectIdentification/ParticipantObjectDetail", "value")
    assert b64decode(said) == b"192.0.2.7: NOBODY called SEDAS"


def test_a_stop_is_told(node: Node) -> None:
    with node.sessions.begin() as session:
        audit.note(session, None, STOPPED, now=node.now, detail="node a, version 1")
    with repository(node.known) as taken:
        node.exports(taken.port)
    assert [e.attribute("EventIdentification/EventTypeCode", "csd-code") for e in taken.entries] == ["110121"]


def test_a_running_node_exports_its_trail(settings: Settings, known: Certificates) -> None:
    with repository(known) as taken:
        syslog = known.settings(taken.port).model_copy(update={"send_s": 0.1})
        audited = settings.audit.model_copy(update={"syslog": syslog, "head_s": 0.1})
        with app.running(settings.model_copy(update={"audit": audited})):
            [started] = wait_for(lambda: taken.entries, "the start to be told")
            wait_for(settings.audit_head_file.exists, "the head to be written down")
    assert started.attribute("EventIdentification/EventTypeCode", "csd-code") == "110120"
    assert started.attribute("ActiveParticipant", "UserID").startswith("node ")


def test_the_check_shakes_hands_with_the_repository(settings: Settings, known: Certificates) -> None:
    with repository(known) as taken:
        syslog = known.settings(taken.port)
        assert checkup._audit_repository(syslog, settings).endswith("takes messages over TLS")
        stranger = syslog.model_copy(update={"certificate": None, "key": None})
        with pytest.raises(OSError, match=r"."):  # an alert, or the reset that overtakes it
            checkup._audit_repository(stranger, settings)
    assert taken.frames == []
