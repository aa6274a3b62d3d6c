"""A result with objects in the outbox, and a destination that answers what it is told to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from config.settings import Delivery, Destination, Settings, Storage
from db import deliveries, jobs
from db.models import DeliveryState, Job, Result, ResultObject
from db.session import Sessions
from db.states import Event, State
from dicom_out.commitment import Item
from dicom_out.outcome import Outcome, SendResult
from dicom_out.scu import Hear
from node.outgoing import send_due

SETTINGS = Settings(delivery=Delivery(first_retry_s=30), storage=Storage(folder=Path("state")))


def recipient(name: str, *, commitment: bool = False) -> Destination:
    return Destination(name=name, ae_title=name, host="pacs.example", port=104, commitment=commitment)


@dataclass
class Scripted:
    """A destination; it answers per object, and takes a commitment request or does not."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    takes_request: Outcome = Outcome.STORED
    asked: list[tuple[str, list[Item]]] = field(default_factory=list)  # transaction and objects

    def send(self, files: Sequence[Path]) -> list[SendResult]:
        self.sent += [file.stem for file in files]
        return [SendResult(self.outcomes.get(file.stem, Outcome.STORED), "because") for file in files]

    def request_commitment(
        self, items: Sequence[Item], transaction_uid: str, hear: Hear, *, stay_s: float
    ) -> SendResult:
        del hear, stay_s  # it reports later, if at all
        self.asked.append((transaction_uid, list(items)))
        return SendResult(self.takes_request, "because")


def delivering(
    sessions: Sessions,
    now: datetime,
    *destinations: str,
    held: bool = False,
    study: str = "1.2",
    objects: Sequence[str] = ("a", "b"),
) -> int:
    """The number of a job with these objects, on their way to these destinations."""
    with sessions.begin() as session:
        job = jobs.image_arrived(session, study, now=now)
        jobs.advance(session, job, Event.STUDY_COMPLETE, now=now)
        jobs.claim(session, worker="w", lease=timedelta(seconds=60), now=now)
        result = Result(
            job_id=job.id, digest="d", threshold=0.5, slice_policy="none", lung_volume_ml=4000.0, seconds=1.0,
            classifier="c", classifier_version="1", classifier_digest="d",
            segmenter="s", segmenter_version="1", segmenter_digest="d",
            objects=[
                ResultObject(sop_instance_uid=uid, rank=rank, sop_class_uid="1.2", path=f"{uid}.dcm", sha256="d")
                for rank, uid in enumerate(objects)
            ],
        )  # fmt: skip
        session.add(result)
        session.flush()
        deliveries.open_all(session, job, result.objects, destinations, now=now)
        event = Event.RESULTS_HELD if held else Event.RESULTS_STORED
        jobs.advance(session, job, event, now=now, owner="w")
        return job.id


def send(
    sessions: Sessions, name: str, destination: Scripted, now: datetime, *, commitment: bool = False
) -> None:
    send_due(sessions, recipient(name, commitment=commitment), destination, SETTINGS, now=now)


def state_of(sessions: Sessions, job: int) -> State:
    with sessions() as session:
        return session.get_one(Job, job).state


def ledger(sessions: Sessions, job: int) -> dict[str, DeliveryState]:
    """The state of each object's delivery; of one destination, where there are several."""
    with sessions() as session:
        every = deliveries.of_job(session, session.get_one(Job, job))
    return {d.sop_instance_uid: d.state for d in every}
