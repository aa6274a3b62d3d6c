"""A node in this process whose one result waits for its release: analysed once, copied for each test, moved by hand."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Protocol, cast

from pydicom.dataset import Dataset
from rich.console import Console
from sqlalchemy import Engine, select

from config.settings import Destination, Settings
from db import deliveries, jobs
from db.models import Commitment, Delivery, Job, ObjectRole
from db.session import Sessions
from db.states import State
from dicom_out import destination
from inference.executor import Executor
from inference.phantom import LesionKind, write_study
from node import app, scp
from node.commitments import ask_due, hear
from node.intake import consider_studies
from node.interventions import release_job
from node.listing import print_jobs
from node.outgoing import send_due
from node.receive import Arrival
from node.storing import gathered
from node.worker import Worker
from tests.models import QUICK, QUICK_SETTINGS
from tests.phantom import small_chest
from tests.received import identify, receive

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
FIRST_RETRY_S = 30.0
ANSWER_S = 600.0


def settings_of(folder: Path, *destinations: Mapping[str, Any]) -> Settings:
    """A node below `folder` that sends to these destinations, and only once it is told to."""
    return Settings.model_validate(
        {
            "listener": {"host": "127.0.0.1", "port": 0, "calling_ae_titles": ["CT"]},
            "storage": {"folder": folder},
            "completion": {"quiet_period_s": 1.0},
            "inference": QUICK.model_dump(),
            "release": {"when": "manual"},
            "results": {"key_objects": True, "segmentation": True},
            "delivery": {
                "destinations": destinations,
                "timeout_s": 10.0,
                "first_retry_s": FIRST_RETRY_S,
                "commitment_answer_s": ANSWER_S,
                "commitment_stay_s": 0.0,
            },
        }
    )


def take(sessions: Sessions, settings: Settings, content: bytes, *, sender: str, now: datetime) -> None:
    """Receive one file."""
    identity = identify(content)
    arrival = Arrival(sender, identity.sop_class_uid, identity.sop_instance_uid)
    receive(content, arrival, spool=settings.storage.spool, sessions=sessions, now=now)


def analyse_and_hold(folder: Path) -> None:
    """Leave in `folder` the state of a node that has analysed one study of CT and holds the result."""
    settings = settings_of(folder)
    sessions = app.open_sessions(settings)
    for file in write_study(small_chest(9, LesionKind.PIMA_LIKE), folder.with_name("study")):
        take(sessions, settings, file.read_bytes(), sender="CT", now=NOON)
    analyse(sessions, settings, app.in_process(QUICK_SETTINGS), NOON)
    with sessions() as session:
        [job] = jobs.in_state(session, State.HELD)
    _engine(sessions).dispose()
    assert job.id == 1


def analyse(sessions: Sessions, settings: Settings, execute: Executor, now: datetime) -> None:
    """Take the study that is complete a second later to its result."""
    named = settings.model_copy(
        update={"delivery": settings_of(settings.storage.folder, recipient("pacs", 104)).delivery}
    )
    consider_studies(sessions, settings, model_thickness_mm=5.0, now=now + timedelta(seconds=2))
    Worker("w", sessions, execute, named, lambda: now).work_once()


def _engine(sessions: Sessions) -> Engine:
    return cast("Engine", sessions.kw["bind"])


def recipient(
    name: str, port: int, *, commitment: bool = False, senders: Sequence[str] = ()
) -> dict[str, Any]:
    """A destination on this machine with the AE title PACS."""
    return {
        "name": name,
        "ae_title": "PACS",
        "host": "127.0.0.1",
        "port": port,
        "commitment": commitment,
        "senders": list(senders),
    }


class Remote(destination.Destination, destination.Committer, Protocol):
    """What a node delivers to."""


@dataclass
class Node:
    """The parts of a running node that deliver, on a clock that stands still until a test moves it."""

    settings: Settings
    sessions: Sessions
    now: datetime = NOON
    port: int = 0
    _until: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def copied(cls, original: Path, folder: Path, *destinations: Mapping[str, Any]) -> "Node":
        """A node of its own with the result in `original`, that has these destinations."""
        shutil.copytree(original, folder)
        settings = settings_of(folder, *destinations)
        return cls(settings, app.open_sessions(settings))

    def listens(self) -> None:
        """Take images and reports over the network, until `close`."""
        self._until.enter_context(self._listener())

    def _listener(self) -> ExitStack:
        stack = ExitStack()
        committing = [d.ae_title for d in self.settings.delivery.destinations if d.commitment]
        reporting = scp.Reporting(committing, self._hear)
        self.port = stack.enter_context(
            scp.listening(self.settings.listener, gathered(self._keep), reporting=reporting)
        )
        return stack

    def close(self) -> None:
        self._until.close()
        _engine(self.sessions).dispose()

    def _keep(self, content: bytes, arrival: Arrival) -> None:
        receive(content, arrival, spool=self.settings.storage.spool, sessions=self.sessions, now=self.now)

    def _hear(self, event_type: int | None, information: Dataset, sender: str) -> int:
        return hear(self.sessions, self.settings.delivery, event_type, information, sender, now=self.now)

    def release(self) -> None:
        release_job(self.sessions, 1, self.settings.storage, self.settings.delivery, now=self.now)

    def deliver(self, *names: str) -> None:
        """One tick of the delivery to each destination, or to these."""
        for to in self._recipients(names):
            send_due(self.sessions, to, self._destination(to), self.settings, now=self.now)

    def ask(self, *names: str, stay_s: float = 0.0) -> None:
        """One tick of the requests for commitment; `stay_s`: how long a report may come on the same association."""
        rules = self.settings.delivery.model_copy(update={"commitment_stay_s": stay_s})
        for to in self._recipients(names):
            ask_due(self.sessions, to, self._destination(to), rules, lambda: self.now)

    def _recipients(self, names: Sequence[str]) -> list[Destination]:
        return [d for d in self.settings.delivery.destinations if not names or d.name in names]

    def _destination(self, to: Destination) -> Remote:
        return app.destination(self.settings, to)

    def later(self, seconds: float = ANSWER_S) -> None:
        self.now += timedelta(seconds=seconds)

    def job(self, number: int = 1) -> dict[str, Any]:
        """As `sedas-node jobs --json` prints it."""
        paper = StringIO()
        print_jobs(self.sessions, Console(file=paper, markup=False, soft_wrap=True), as_json=True)
        [row] = [row for row in json.loads(paper.getvalue()) if row["job"] == number]
        return cast("dict[str, Any]", row)

    def objects(self, name: str = "pacs") -> dict[str, int]:
        """How many objects of the job are in which state at that destination, as the command prints it."""
        [progress] = [one["objects"] for one in self.job()["deliveries"] if one["destination"] == name]
        return cast("dict[str, int]", progress)

    def ledger(self, name: str = "pacs", role: ObjectRole | None = None) -> list[Delivery]:
        with self.sessions() as session:
            every = deliveries.of_job(session, session.get_one(Job, 1))
        return [d for d in every if d.destination == name and role in (None, d.object.role)]

    def commitments(self) -> list[tuple[str, str]]:
        """State and answer of every request, oldest first."""
        with self.sessions() as session:
            every = session.scalars(select(Commitment).order_by(Commitment.asked_at)).all()
        return [(one.state.value, one.answer) for one in every]

    def states(self) -> Counter[str]:
        return Counter(d.state.value for d in self.ledger())
