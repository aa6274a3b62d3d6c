"""The worker: claims one job at a time, holds the models warm, keeps its lease alive while it works."""

import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from config.settings import Settings
from db import deliveries, jobs, results
from db.models import Job
from db.session import DatabaseAway, DatabaseUnusable, Sessions, installation_id, translated
from db.states import Event
from dicom_out.report_classes import CLASSES
from inference.annotation_files import File
from inference.executor import Abandoned, Executor, Failed, Unfinished
from inference.volume import VolumeRefused
from node.classes import ANNOTATION_CLASSES, CT_CLASSES
from node.inspection import verdict, withhold
from node.logs import blame
from node.notify import ALIVE, notify, watchdog_s
from node.release import next_event, recipients
from node.retry import retry_after
from node.rows import result_row
from node.steps import Input, Marks, Origin, Outcome, predecessor, process

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Worker:
    name: str
    sessions: Sessions
    execute: Executor
    settings: Settings
    now: Callable[[], datetime]

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.settings.worker.lease_s)

    def work(self, stop: threading.Event) -> None:
        """Take jobs until `stop` is set."""
        while not stop.is_set():
            notify(ALIVE)
            try:
                worked = self.work_once(stop)
            except Exception as error:  # noqa: BLE001 - the database is away, say: the loop must outlive it
                log.error("worker stumbled", extra={"error": blame(error)})
                worked = False
            if not worked:
                stop.wait(self.settings.worker.poll_s)

    def work_once(self, stop: threading.Event | None = None) -> bool:
        """Take one job to its next state; False when none waits.

        What came of it waits for a database that is away until `stop` is set. Raises DatabaseAway then.
        """
        with self.sessions.begin() as session:
            job = jobs.claim(session, worker=self.name, lease=self.lease, now=self.now())
        if job is None:
            return False
        facts = {"job": job.id, "study_instance_uid": job.study_instance_uid}
        log.info("job claimed", extra=facts)
        with self._kept_lease(job):
            try:
                self._work_on(job, facts, stop or threading.Event())
            except jobs.LostRace:
                log.warning("job lost to another worker", extra=facts)
        return True

    def _work_on(self, job: Job, facts: dict[str, object], stop: threading.Event) -> None:
        try:
            outcome = self._analyse(job)
            self._once_there(stop, partial(self._store, job, outcome))
        except Abandoned as error:  # the attempt does not count
            log.info("job given back", extra=facts)
            given_back = partial(self._end, job, Event.LEASE_LOST, str(error), attempts=job.attempts - 1)
            self._once_there(stop, given_back)
        except (jobs.LostRace, DatabaseAway):
            raise
        except VolumeRefused as refusal:  # what no other attempt would change
            log.info("job not analysable", extra={**facts, "reason": str(refusal)})
            self._once_there(stop, partial(self._end, job, Event.NOT_ANALYSABLE, str(refusal)))
        except Exception as error:  # noqa: BLE001 - one bad study must not end the worker; the job says what happened
            log.error("attempt failed", extra={**facts, "error": _reason(error)})
            self._once_there(stop, partial(self._try_again_or_give_up, job, error))

    def _once_there(self, stop: threading.Event, act: Callable[[], None]) -> None:
        """Do it in a transaction of its own, again and again until the database is there for it."""
        waits = False
        while True:
            try:
                with translated():
                    return act()
            except DatabaseAway as error:
                if not waits:
                    log.error("result waits for the database", extra={"reason": str(error)})
                waits = True
                if stop.wait(self.settings.worker.poll_s):
                    raise

    def _analyse(self, job: Job) -> Outcome:
        with self.sessions() as session:
            inputs = jobs.inputs(session, job)
            installation = installation_id(session)
            earlier = results.sent_before(session, job, CLASSES)
        spool, outbox = self.settings.storage.spool, self.settings.storage.outbox
        return process(
            [Input(spool / i.path, i.sha256) for i in inputs if i.sop_class_uid in CT_CLASSES],
            [
                Marks(File(spool / i.path, i.sop_instance_uid, i.sop_class_uid), i.sha256)
                for i in inputs
                if i.sop_class_uid in ANNOTATION_CLASSES
            ],
            self.execute,
            self.settings,
            Origin(
                installation,
                job.generation,
                job.completed_at or job.created_at,
                predecessor(outbox / earlier.path) if earlier else None,
                job.missing,
            ),
            outbox / job.study_instance_uid / str(job.generation),
            candidate=job.attempts == 1,  # one that hangs or dies costs an attempt and not the result
            on_stage=partial(_log_stage, job.id),
        )

    def _store(self, job: Job, outcome: Outcome) -> None:
        """Outbox before state: rows of results and deliveries and the end of RUNNING, all or nothing.

        Of objects that fail their check no delivery is left to be sent.
        """
        now, policy = self.now(), outcome.analysis.slice_policy
        found = outcome.object_findings
        kept = outcome.analysis.probability is None and self.settings.results.abstentions == "keep"
        with self.sessions.begin() as session:
            names = recipients(self.settings.delivery, jobs.senders(session, job))
            event = next_event(self.settings.release, policy, leaves=bool(names) and not kept)
            result = result_row(job, outcome, self.settings.storage.outbox)
            session.add(result)
            session.flush()
            if event is Event.RESULTS_STORED:
                deliveries.open_all(session, job, result.objects, names, now=now)
            jobs.supersede_held(session, job, now=now)
            summary = _summary(outcome)
            reason = verdict(found) or (
                ""
                if names or not self.settings.delivery.destinations
                else "no destination takes studies of its sender"
            )
            jobs.advance(session, job, event, now=now, owner=self.name, detail=summary, reason=reason)
            if found and event is Event.RESULTS_STORED:
                withhold(session, session.get_one(Job, job.id), found, now=now)
        if found:
            log.error("objects fail their check", extra={"job": job.id, "reason": verdict(found)})
        log.info("results stored", extra={"job": job.id, "objects": len(outcome.objects)})
        candidate = outcome.analysis.candidate
        if candidate is not None and candidate.failure:
            log.error("candidate failed", extra={"job": job.id, "reason": candidate.failure})

    def _try_again_or_give_up(self, job: Job, error: Exception) -> None:
        reason = _reason(error)
        wait = retry_after(error.kind if isinstance(error, Failed) else type(error), job.attempts)
        if wait is None:
            self._end(job, Event.GAVE_UP, reason)
        else:
            self._end(job, Event.ATTEMPT_FAILED, reason, not_before=self.now() + wait)

    def _end(self, job: Job, event: Event, reason: str, **changes: datetime | int) -> None:
        with self.sessions.begin() as session:
            jobs.advance(
                session,
                job,
                event,
                now=self.now(),
                owner=self.name,
                detail=reason,
                reason=reason,
                **changes,
            )

    @contextmanager
    def _kept_lease(self, job: Job) -> Iterator[None]:
        """Renew the lease, and feed the watchdog, in a thread while the block works; a killed process does neither."""
        done = threading.Event()
        pause_s = min(self.settings.worker.lease_s, watchdog_s() or math.inf) / 3

        def renew() -> None:
            while not done.wait(pause_s):
                notify(ALIVE)
                try:
                    with translated(), self.sessions.begin() as session:
                        jobs.renew(session, job.id, worker=self.name, lease=self.lease, now=self.now())
                except jobs.LostRace:
                    return  # storing the results will meet the same guard
                except DatabaseUnusable as error:
                    log.warning("lease not renewed", extra={"job": job.id, "reason": str(error)})

        thread = threading.Thread(target=renew, name=f"lease of job {job.id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Unfinished) else blame(error)


def _log_stage(job_id: int, stage: str) -> None:
    log.info("stage", extra={"job": job_id, "stage": stage})


def _summary(outcome: Outcome) -> str:
    found = outcome.analysis
    score = "no score" if found.probability is None else f"{found.label}, probability {found.probability:.3f}"
    return (
        f"{score}, slices {found.slice_policy}: {len(found.slices)}, lungs {found.lung_volume_ml:.0f} ml, "
        f"{len(outcome.objects)} objects, result {outcome.digest[:12]}"
    )
