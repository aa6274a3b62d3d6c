"""Any sequence of events, by any workers at any time: the table holds, and a job has at most one owner."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from db import audit, jobs
from db.states import TRANSITIONS, Event, IllegalTransition, State, next_state
from tests.databases import Database

LEASE = timedelta(seconds=60)
STUDY = "1.2.3"


class JobLife(RuleBasedStateMachine):
    database: ClassVar[Database]

    @initialize()
    def an_image_arrives_first(self) -> None:
        self.session = self.database.begun()()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        jobs.image_arrived(self.session, STUDY, now=self.now)

    @rule()
    def an_image_arrives(self) -> None:
        jobs.image_arrived(self.session, STUDY, now=self.now)

    @rule(event=st.sampled_from([e for e in Event if e is not Event.CLAIMED]))
    def anything_happens(self, event: Event) -> None:
        job = jobs.every(self.session)[-1]
        before = job.state
        refusal = (
            {"reason": "a test"}
            if event in (Event.NOT_ELIGIBLE, Event.NOT_ANALYSABLE, Event.GAVE_UP, Event.DELIVERY_REFUSED)
            else {}
        )
        try:
            jobs.advance(self.session, job, event, now=self.now, **refusal)
        except IllegalTransition:
            assert (before, event) not in TRANSITIONS

    @rule(worker=st.sampled_from(["a", "b"]))
    def a_worker_claims(self, worker: str) -> None:
        job = jobs.claim(self.session, worker=worker, lease=LEASE, now=self.now)
        assert job is None or (job.state, job.lease_owner) == (State.RUNNING, worker)

    @rule(worker=st.sampled_from(["a", "b"]))
    def a_worker_ends_its_job(self, worker: str) -> None:
        for job in jobs.in_state(self.session, State.RUNNING):
            owner = job.lease_owner
            try:
                jobs.advance(self.session, job, Event.RESULTS_KEPT, now=self.now, owner=worker)
            except jobs.LostRace:
                assert owner != worker
            else:
                assert owner == worker

    @rule(seconds=st.integers(1, 120))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        for job in jobs.with_lost_lease(self.session, now=self.now):
            jobs.advance(self.session, job, Event.LEASE_LOST, now=self.now)

    @invariant()
    def only_running_jobs_are_owned(self) -> None:
        for job in jobs.every(self.session):
            assert (job.lease_owner is not None) == (job.state is State.RUNNING)

    @invariant()
    def the_audit_trail_replays_to_the_present_states(self) -> None:
        replayed: dict[int, State] = {}
        for event in audit.trail(self.session):
            if event.job_id is None or event.state_after is None:
                continue
            assert replayed.get(event.job_id) == event.state_before
            if event.state_before is not None:
                assert next_state(event.state_before, Event(event.event)) is event.state_after
            replayed[event.job_id] = event.state_after
        assert replayed == {job.id: job.state for job in jobs.every(self.session)}

    def teardown(self) -> None:
        """As it was: the next life begins with nothing, and the trail goes on."""
        if hasattr(self, "session"):
            self.session.close()
            self.database.close()
            self.database.empty()


def test_job_life(database: Database) -> None:
    run_state_machine_as_test(type("JobLifeHere", (JobLife,), {"database": database}), settings=LIVES)


LIVES = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
