"""The database goes away and comes back: nothing acknowledged is lost, nothing is done twice, and nobody dies of it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from sqlalchemy import event

from config.settings import Settings
from db import deliveries, instances, jobs
from db.models import DeliveryState, Job
from db.session import DatabaseAway, Sessions, close_database, translated
from db.states import State
from db.tampering import verify
from dicom_out.outcome import Outcome, SendResult
from inference.executor import Executor, OnStage, Request
from inference.findings import Analysis
from inference.phantom import LesionKind, write_study
from node import app
from node.audit_key import key_file
from node.intake import consider_studies
from node.leases import LeaseWatch
from node.outgoing import send_due
from node.receive import Arrival
from node.status import StoreStatus
from node.worker import Worker
from tests.databases import KEY, ON_POSTGRESQL, ON_SQLITE, Database, engine_of
from tests.models import QUICK_SETTINGS
from tests.nodes import write_config
from tests.peers import wait_for
from tests.phantom import small_chest
from tests.postgres import Server
from tests.received import identify, receive


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(small_chest(9, LesionKind.PIMA_LIKE), tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def execute() -> Executor:
    return app.in_process(QUICK_SETTINGS)


@pytest.fixture
def node(settings: Settings, database: Database) -> Settings:
    """A node on that database, with one destination."""
    there = {"destinations": [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}]}
    where = {"database_url": database.url, "database_password_file": database.password_file}
    named = settings.model_dump()
    named["storage"] |= where
    return Settings.model_validate(named | {"delivery": there, "worker": {"poll_s": 0.05}})


@contextmanager
def _associated(port: int) -> Iterator[Association]:
    ae = AE(ae_title="PACS")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", port, ae_title="SEDAS")
    assert association.is_established
    yield association
    association.release()


def _store(association: Association, file: Path) -> int:
    return int(association.send_c_store(dcmread(file)).Status)


@ON_POSTGRESQL
def test_senders_are_told_to_come_again_while_the_server_is_away(
    node: Settings, database: Database, postgres: Server, study: list[Path]
) -> None:
    node.storage.folder.mkdir()
    key_file(node).write_text(KEY.secret.hex())  # the trail of every copy has been begun with it
    with app.running(node) as port, _associated(port) as association:
        assert _store(association, study[0]) == StoreStatus.SUCCESS
        with postgres.away():
            for file in study[:3]:
                assert _store(association, file) == StoreStatus.OUT_OF_RESOURCES
        for file in study[:3]:
            assert _store(association, file) == StoreStatus.SUCCESS
        postgres.end_connections(database.name)
        assert _store(association, study[3]) == StoreStatus.SUCCESS
        sessions = database.sessions()
        wait_for(lambda: _states(sessions) == [State.REJECTED], "the ticks to go on")
    with sessions() as session:
        (job,) = jobs.every(session)
        assert len(instances.of_study(session, job.study_instance_uid)) == 4
    assert verify(sessions, KEY).faults == ()


def _states(sessions: Sessions) -> list[State]:
    with sessions() as session:
        return [job.state for job in jobs.every(session)]


def _receive(file: Path, sessions: Sessions, node: Settings, now: datetime) -> None:
    content = file.read_bytes()
    identity = identify(content)
    arrival = Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid)
    receive(content, arrival, spool=node.storage.spool, sessions=sessions, now=now)


@pytest.fixture
def queued(study: list[Path], sessions: Sessions, node: Settings, now: datetime) -> Sessions:
    for file in study:
        _receive(file, sessions, node, now)
    consider_studies(sessions, node, model_thickness_mm=5.0, now=now + timedelta(seconds=2))
    return sessions


@dataclass(frozen=True)
class Interrupted:
    """Analyses, and then something happens before the result is stored."""

    execute: Executor
    happens: Callable[[], object]
    times: list[int]

    def __call__(self, request: Request, *, on_stage: OnStage) -> Analysis:
        analysis = self.execute(request, on_stage=on_stage)
        self.times.append(1)
        self.happens()
        return analysis


@ON_POSTGRESQL
def test_a_worker_keeps_its_result_until_the_server_is_back(
    queued: Sessions,
    node: Settings,
    now: datetime,
    execute: Executor,
    postgres: Server,
    caplog: pytest.LogCaptureFixture,
) -> None:
    interrupted = Interrupted(execute, postgres.stop, [])
    worker = Worker("w", queued, interrupted, node, lambda: now)
    thread = threading.Thread(target=worker.work_once)
    thread.start()
    try:
        wait_for(lambda: "result waits for the database" in caplog.messages, "the worker to meet it")
    finally:
        postgres.start()
    thread.join(60)
    with queued() as session:
        (job,) = jobs.every(session)
        assert (job.state, job.attempts, interrupted.times) == (State.DELIVERING, 1, [1])
        assert deliveries.of_job(session, job)
    assert caplog.messages.count("result waits for the database") == 1
    assert verify(queued, KEY).faults == ()


@ON_POSTGRESQL
def test_a_worker_that_is_to_stop_does_not_wait_for_the_server(
    queued: Sessions, node: Settings, now: datetime, execute: Executor, postgres: Server
) -> None:
    stop = threading.Event()

    def both() -> None:
        postgres.stop()
        stop.set()

    interrupted = Interrupted(execute, both, [])
    try:
        with pytest.raises(DatabaseAway):
            Worker("w", queued, interrupted, node, lambda: now).work_once(stop)
    finally:
        postgres.start()
    assert _states(queued) == [State.RUNNING]  # until its lease is lost


@ON_POSTGRESQL
def test_a_worker_without_a_server_looks_again_until_it_has_one(
    queued: Sessions,
    node: Settings,
    now: datetime,
    execute: Executor,
    postgres: Server,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=Worker("w", queued, execute, node, lambda: now).work, args=[stop])
    with postgres.away():
        thread.start()
        wait_for(lambda: "worker stumbled" in caplog.messages, "the worker to find nothing")
    wait_for(lambda: _states(queued) == [State.DELIVERING], "the worker to find the job")
    stop.set()
    thread.join(60)


@ON_POSTGRESQL
def test_workers_that_could_not_renew_their_lease_get_time_to_be_heard(
    queued: Sessions, node: Settings, now: datetime, postgres: Server
) -> None:
    lease = timedelta(seconds=node.worker.lease_s)
    clock = [now]
    watch = LeaseWatch(queued, node.worker, lambda: clock[0])
    with queued.begin() as session:
        jobs.claim(session, worker="w", lease=lease, now=now)
    clock[0] += 2 * lease
    with postgres.away(), pytest.raises(DatabaseAway):
        watch.look()
    watch.look()
    assert _states(queued) == [State.RUNNING]
    clock[0] += lease
    watch.look()
    assert _states(queued) == [State.QUEUED]


@dataclass(frozen=True)
class Taking:
    """A destination that takes everything, and then something happens."""

    happens: Callable[[], object]
    taken: list[bytes]

    def send(self, files: Sequence[Path]) -> list[SendResult]:
        self.taken.extend(file.read_bytes() for file in files)
        self.happens()
        return [SendResult(Outcome.STORED, "")] * len(files)


@ON_POSTGRESQL
def test_what_was_sent_and_could_not_be_noted_is_sent_again_as_it_was(
    queued: Sessions, node: Settings, now: datetime, execute: Executor, postgres: Server
) -> None:
    Worker("w", queued, execute, node, lambda: now).work_once()
    [to] = node.delivery.destinations
    taking = Taking(postgres.stop, [])
    try:
        with pytest.raises(DatabaseAway), translated():
            send_due(queued, to, taking, node, now=now)
    finally:
        postgres.start()
    again = Taking(lambda: None, [])
    send_due(queued, to, again, node, now=now)
    assert again.taken == taking.taken
    with queued() as session:
        job = session.get_one(Job, 1)
        assert job.state is State.DONE
        assert {(d.state, d.attempts) for d in deliveries.of_job(session, job)} == {(DeliveryState.SENT, 2)}


def _limit(sessions: Sessions, pragma: str) -> None:
    """Give every connection of these sessions a limit of its own."""

    def set_it(connection: object, _: object) -> None:
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]

    close_database(sessions)
    event.listen(engine_of(sessions), "connect", set_it)


@ON_SQLITE
def test_a_full_disk_takes_in_nothing_by_halves(
    sessions: Sessions, database: Database, node: Settings, now: datetime, study: list[Path]
) -> None:
    with sessions() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
    full = database.begun()
    _limit(full, f"max_page_count = {pages}")
    taken = 0

    def take(files: Iterator[Path]) -> None:
        nonlocal taken
        for file in files:
            _receive(file, full, node, now)
            taken += 1

    with pytest.raises(DatabaseAway, match="disk is full"):
        take(iter(study))
    with sessions() as session:
        received = [instances.of_study(session, job.study_instance_uid) for job in jobs.every(session)]
    assert sum(map(len, received)) == taken < len(study)
    assert verify(sessions, KEY).faults == ()
    for file in study:
        _receive(file, sessions, node, now)
    with sessions() as session:
        (job,) = jobs.every(session)
        assert len(instances.of_study(session, job.study_instance_uid)) == len(study)


@ON_SQLITE
def test_a_database_that_is_locked_for_long_is_away_and_then_there(
    sessions: Sessions, database: Database, node: Settings, now: datetime, study: list[Path]
) -> None:
    hurried = database.begun()
    _limit(hurried, "busy_timeout = 20")
    with sessions() as session:
        session.connection()  # BEGIN IMMEDIATE
        with pytest.raises(DatabaseAway, match="locked"):
            _receive(study[0], hurried, node, now)
    _receive(study[0], hurried, node, now)
    assert _states(sessions) == [State.RECEIVING]


def test_a_node_whose_database_is_away_at_its_start_says_so_in_a_line(tmp_path: Path) -> None:
    config = write_config(tmp_path, 104)
    text = config.read_text()
    config.write_text(
        text.replace("[storage]", f'[storage]\ndatabase_url = "postgresql:///no?host={tmp_path}"')
    )
    command = [sys.executable, "-m", "node", "run", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("sedas-node: connection ")
    assert "No such file or directory" in ended.stderr
