"""A test patient's way through a running node: received, analysed, delivered, committed to, withdrawn."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import generate_uid

from db import deliveries, jobs, results
from db.models import Delivery, DeliveryState, Job
from db.states import SETTLED, State
from dicom_out.outcome import Outcome
from dicom_out.rejection import Reason
from dicom_out.scu import send_files
from node.commission import Try, WentWrong
from node.commission_record import Site
from node.demo import write_phantom
from node.interventions import release_job
from node.withdrawal import withdraw_study

TEST_PATIENT = {
    "PatientName": "SEDAS^COMMISSIONING",
    "PatientID": "SEDAS-TEST",
    "StudyDescription": "Commissioning of sedas-node: a phantom",
}
_ANALYSED = (State.HELD, State.DELIVERING, State.COMMITTING, *SETTLED)
_POLL_S = 0.5


def way(site: Site, folder: Path, patience_s: float) -> Iterator[tuple[str, Try]]:
    """The steps, each to be taken after the one before; every run is a study of its own. `folder` holds the phantom."""
    study = generate_uid(prefix=None)
    files = _phantom(study, folder)
    patient = _Patient(site, study, patience_s)
    yield "The node receives a phantom", lambda: _receive(site, files)
    yield "It analyses the phantom", patient.analysed
    yield "The results reach the destination", patient.delivered
    if site.to.commitment:
        yield "The destination commits to keeping them", patient.committed
    yield "The results are withdrawn", patient.withdrawn


def _phantom(study_instance_uid: str, folder: Path) -> list[Path]:
    """The phantom of the demo, under UIDs that nobody has met."""
    of_this_run = {"StudyInstanceUID": study_instance_uid, "SeriesInstanceUID": generate_uid(prefix=None)}
    files = write_phantom(folder, header={**TEST_PATIENT, **of_this_run})
    for file in files:
        ds = dcmread(file)
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(prefix=None)
        ds.save_as(file)
    return files


def _receive(site: Site, files: list[Path]) -> str:
    own = site.listener
    calling = (*site.to.senders, *site.settings.listener.calling_ae_titles)[0]
    if not site.settings.listener.admits(calling, own.host):
        raise WentWrong(
            f"{calling} may not call from {own.host}: add it to listener.caller_addresses for the time of the test"
        )
    answers = list(send_files(files, own, calling_ae_title=calling, timeout_s=20))
    if refused := [a for a in answers if a.outcome is not Outcome.STORED]:
        raise WentWrong(f"{len(refused)} of {len(files)} images: {refused[0].answer}; does the node run?")
    return f"{len(files)} images by C-STORE from {calling}"


class _Patient:
    """The study of the phantom, as the node's database tells it."""

    def __init__(self, site: Site, study_instance_uid: str, patience_s: float) -> None:
        self.site = site
        self.study = study_instance_uid
        self.patience_s = patience_s

    def analysed(self) -> str:
        job = self._wait("analysed", lambda job, _: job.state in _ANALYSED)
        with self.site.sessions() as session:
            result = results.of_job(session, job)
            if result is None:
                raise WentWrong(f"study {self.study}: {job.state}: {job.reason}")
            found = "no number" if result.probability is None else f"{result.label} {result.probability:.3f}"
            return f"study {self.study}: {found}, {len(result.slices)} slices, {result.seconds:.1f} s"

    def delivered(self) -> str:
        settings = self.site.settings
        with self.site.sessions() as session:
            job = jobs.latest_generation(session, self.study)
        if job is not None and job.state is State.HELD:
            release_job(self.site.sessions, job.id, settings.storage, settings.delivery, now=self.site.now())
        arrived = self._wait_for_deliveries("sent", deliveries.ARRIVED)
        return f"{len(arrived)} objects"

    def committed(self) -> str:
        return f"{len(self._wait_for_deliveries('committed to', (DeliveryState.COMMITTED,)))} objects"

    def withdrawn(self) -> str:
        now = self.site.now()
        withdraw_study(self.site.sessions, self.study, Reason.QUALITY, self.site.settings, now=now)
        job = self._wait("withdrawn", lambda job, _: job.state is State.WITHDRAWN)
        return f"by a rejection note ({Reason.QUALITY.document_title.meaning}); job {job.id} is {job.state}"

    def _wait_for_deliveries(self, word: str, states: tuple[DeliveryState, ...]) -> list[Delivery]:
        name = self.site.to.name
        over = (*states, DeliveryState.REPLACED)

        def there(_: Job, every: list[Delivery]) -> bool:
            own = [d for d in every if d.destination == name]
            return bool(own) and all(d.state in over for d in own)

        job = self._wait(word, there)
        with self.site.sessions() as session:
            return [d for d in deliveries.of_job(session, job) if d.destination == name and d.state in states]

    def _wait(self, word: str, is_there: Callable[[Job, list[Delivery]], bool]) -> Job:
        """The study's job once it is there; WentWrong if it stops elsewhere or takes too long."""
        until = time.monotonic() + self.patience_s
        while True:
            with self.site.sessions() as session:
                job = jobs.latest_generation(session, self.study)
                every = list(deliveries.of_job(session, job)) if job else []
            if job is not None and is_there(job, every):
                return job
            where = "unknown to the node" if job is None else f"{job.state}"
            answers = {f"{d.destination}: {d.answer}" for d in every if d.answer}
            said = (job.reason if job else "") or "; ".join(sorted(answers))
            if job is not None and job.state in SETTLED:
                raise WentWrong(f"not {word}: job {job.id} is {where}: {said}")
            if time.monotonic() > until:
                raise WentWrong(f"not {word} within {self.patience_s:.0f} s: it is {where}: {said}")
            time.sleep(_POLL_S)
