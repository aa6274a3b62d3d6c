"""Many on one database at the same moment: each job has one owner, each study one job, and the trail one order."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import text

from db import deliveries, instances, jobs, quarantine
from db.models import Instance, Job, Quarantined, ResultObject
from db.session import Session, Sessions
from db.states import Event, State
from db.tampering import verify
from node.settling import settle
from tests.databases import KEY, ON_POSTGRESQL, Database
from tests.peers import wait_for
from tests.results import result

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
LEASE = timedelta(seconds=60)
WORKERS = 6


@pytest.fixture
def everybody(database: Database) -> list[Sessions]:
    """As of so many programs."""
    return [database.begun() for _ in range(WORKERS)]


def _together(everybody: list[Sessions], act: Callable[[int, Sessions], object]) -> list[object]:
    start = Barrier(len(everybody))

    def one(number: int, sessions: Sessions) -> object:
        with sessions() as session:
            session.connection()  # so that nobody is late for having to connect
        start.wait(30)
        return act(number, sessions)

    with ThreadPoolExecutor(len(everybody)) as threads:
        return list(threads.map(one, range(len(everybody)), everybody))


def _queue(sessions: Sessions, count: int) -> None:
    with sessions.begin() as session:
        for number in range(count):
            job = jobs.image_arrived(session, f"1.2.{number}", now=NOW)
            jobs.advance(session, job, Event.STUDY_COMPLETE, now=NOW, completed_at=NOW)


def test_each_job_is_claimed_once(everybody: list[Sessions]) -> None:
    _queue(everybody[0], 30)

    def claim_all(number: int, sessions: Sessions) -> None:
        claimed = True
        while claimed:
            with sessions.begin() as session:
                claimed = jobs.claim(session, worker=f"w{number}", lease=LEASE, now=NOW) is not None

    _together(everybody, claim_all)
    with everybody[0]() as session:
        every = jobs.every(session)
        assert {(job.state, job.attempts) for job in every} == {(State.RUNNING, 1)}
        assert len(every) == 30
    assert verify(everybody[0], KEY).faults == ()


def test_images_of_a_new_study_that_come_together_open_one_job(everybody: list[Sessions]) -> None:
    def receive(number: int, sessions: Sessions) -> None:
        for study in range(8):
            with sessions.begin() as session:
                instances.add(session.connection(), [_instance(f"1.2.{study}", number)])
                jobs.image_arrived(session, f"1.2.{study}", now=NOW)

    _together(everybody, receive)
    with everybody[0]() as session:
        assert [job.generation for job in jobs.every(session)] == [1] * 8
        assert all(len(instances.of_study(session, f"1.2.{study}")) == WORKERS for study in range(8))
    assert verify(everybody[0], KEY).rows == 9


def test_late_images_that_come_together_open_one_generation(everybody: list[Sessions]) -> None:
    _queue(everybody[0], 1)
    with everybody[0].begin() as session:
        jobs.claim(session, worker="w", lease=LEASE, now=NOW)

    def receive(_: int, sessions: Sessions) -> int:
        with sessions.begin() as session:
            return jobs.image_arrived(session, "1.2.0", now=NOW).generation

    assert _together(everybody, receive) == [2] * WORKERS


def test_one_image_on_many_associations_is_added_once(everybody: list[Sessions]) -> None:
    def receive(_: int, sessions: Sessions) -> bool:
        try:
            with sessions.begin() as session:
                instances.add(session.connection(), [_instance("1.2.0", 1)])
                jobs.image_arrived(session, "1.2.0", now=NOW)
        except instances.AlreadyKnown:
            return False
        return True

    assert Counter(_together(everybody, receive)) == {True: 1, False: WORKERS - 1}


def test_what_is_refused_many_times_at_once_is_counted(everybody: list[Sessions]) -> None:
    def refuse(_: int, sessions: Sessions) -> None:
        with sessions.begin() as session:
            quarantine.lock(session)
            quarantine.note(session, _refused())

    _together(everybody, refuse)
    with everybody[0]() as session:
        assert [refused.times for refused in quarantine.every(session)] == [WORKERS]


def test_a_lease_that_is_renewed_at_the_last_moment_is_not_lost(
    database: Database, everybody: list[Sessions]
) -> None:
    mine, other = everybody[:2]
    _queue(mine, 1)
    with mine.begin() as session:
        jobs.claim(session, worker="w", lease=LEASE, now=NOW)

    def expire() -> int:
        with other.begin() as session:
            return len(jobs.with_lost_lease(session, now=NOW + 1.5 * LEASE))

    with ThreadPoolExecutor(1) as threads:
        with mine.begin() as session:
            jobs.renew(session, 1, worker="w", lease=LEASE, now=NOW + LEASE)
            lost = threads.submit(expire)
            _wait_for_its_turn(database)
        assert lost.result(30) == 0


def test_a_study_is_not_complete_while_an_image_of_it_comes(
    database: Database, everybody: list[Sessions]
) -> None:
    mine, other = everybody[:2]
    with mine.begin() as session:
        jobs.image_arrived(session, "1.2.0", now=NOW)

    def images() -> int:
        with other.begin() as session:
            jobs.locked(session, [1])
            return len(instances.of_study(session, "1.2.0"))

    with ThreadPoolExecutor(1) as threads:
        with mine.begin() as session:
            instances.add(session.connection(), [_instance("1.2.0", 1)])
            jobs.image_arrived(session, "1.2.0", now=NOW)
            seen = threads.submit(images)
            _wait_for_its_turn(database)
        assert seen.result(30) == 1


@ON_POSTGRESQL
def test_the_end_of_an_association_waits_for_no_image_on_another(everybody: list[Sessions]) -> None:
    mine, other = everybody[:2]
    with mine.begin() as session:
        for study in ("1.2.0", "1.2.1"):
            jobs.image_arrived(session, study, now=NOW)
    with mine.begin() as session, other.begin() as beside:
        jobs.image_arrived(session, "1.2.0", now=NOW)
        jobs.sender_released(beside, {"1.2.0", "1.2.1"}, now=NOW)
    with mine() as session:
        assert [job.released_at for job in jobs.every(session)] == [None, NOW]


def _wait_for_its_turn(database: Database) -> None:
    """Until somebody waits for a lock; SQLite does not tell."""
    if database.is_sqlite:
        return
    with database.engine().connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        wait_for(lambda: connection.execute(waiting).scalar_one(), "somebody to wait")


def test_programs_that_do_everything_at_once_neither_lock_each_other_up_nor_lose_a_job(
    everybody: list[Sessions],
) -> None:
    acts = [_receive, _complete, _work, _deliver]

    def act(number: int, sessions: Sessions) -> None:
        for turn in range(24):
            with sessions.begin() as session:
                acts[(number + turn) % len(acts)](number, session, turn)

    _together(everybody, act)
    for turn in range(40):  # what is left, by one who has all the time
        for number in range(2):
            with everybody[0].begin() as session:
                acts[1 + turn % 3](number, session, turn)
    with everybody[0]() as session:
        states = {job.state for job in jobs.every(session)}
    assert states - {State.SUPERSEDED} == {State.DONE}
    assert verify(everybody[0], KEY).faults == ()


def _receive(number: int, session: Session, turn: int) -> None:
    study = f"1.2.{turn % 6}"
    instances.add(session.connection(), [_instance(study, 100 * number + turn)])
    jobs.image_arrived(session, study, now=NOW)


def _complete(_: int, session: Session, __: int) -> None:
    receiving = [job.id for job in jobs.in_state(session, State.RECEIVING)]
    for job in jobs.locked(session, receiving):
        if job.state is State.RECEIVING:
            jobs.advance(session, job, Event.STUDY_COMPLETE, now=NOW, completed_at=NOW)


def _work(number: int, session: Session, _: int) -> None:
    job = jobs.claim(session, worker=f"w{number}", lease=LEASE, now=NOW)
    if job is None:
        return
    session.add(result(job.id))
    session.flush()
    made = _object(job)
    session.add(made)
    session.flush()
    deliveries.open_all(session, job, [made], ["a", "b"], now=NOW)
    jobs.supersede_held(session, job, now=NOW)
    jobs.advance(session, job, Event.RESULTS_STORED, now=NOW, owner=f"w{number}")


def _deliver(number: int, session: Session, _: int) -> None:
    due = deliveries.begin_due(session, "ab"[number % 2], now=NOW)
    locked = jobs.locked(session, {delivery.job_id for delivery in due})
    for delivery in due:
        deliveries.arrived(delivery, commitment=False, now=NOW, answer="")
    settle(session, locked, now=NOW)


def _instance(study: str, number: int) -> Instance:
    return Instance(
        sop_instance_uid=f"{study}.{number}",
        sop_class_uid="1.2",
        study_instance_uid=study,
        series_instance_uid=f"{study}.9",
        sha256="0",
        size_bytes=1,
        path=f"{study}/{number}",
        calling_ae_title="PACS",
        received_at=NOW,
    )


def _refused() -> Quarantined:
    return Quarantined(
        sha256="0",
        size_bytes=1,
        sop_class_uid="1.2",
        sop_instance_uid="1.2.3",
        calling_ae_title="PACS",
        reason="cut",
        times=1,
        received_at=NOW,
        last_received_at=NOW,
    )


def _object(job: Job) -> ResultObject:
    uid = f"2.25.{job.id}"
    return ResultObject(
        sop_instance_uid=uid, job_id=job.id, rank=0, sop_class_uid="1.2", path=uid, sha256="d"
    )
