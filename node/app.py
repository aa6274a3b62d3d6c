"""The composition root: everything is built here from the settings and handed down."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from config.load import BadConfig
from config.settings import Destination as Recipient
from config.settings import Inference, Settings
from db import audit
from db.session import (
    DatabaseUnusable,
    Sessions,
    close_database,
    installation_id,
    open_database,
    translated,
)
from dicom_out.destination import CStoreDestination
from inference.bundle import Bundle, demonstration, load_bundle
from inference.executor import SpawnedChild
from inference.findings import QualityCode
from node import scp, ticks
from node.archive import Archive, asking
from node.audit_export import STARTED, STOPPED, export_trail
from node.audit_heads import export_head
from node.audit_key import key_file, make_key, read_key
from node.clock import mend_clock
from node.commitments import ask_due, forgo
from node.health import Page, answering, pages
from node.intake import consider_studies
from node.leases import LeaseWatch
from node.logs import blame
from node.metrics import Metrics
from node.notify import READY, STOPPING, notify, watchdog_s
from node.outgoing import call_overdue, park_unknown, send_due
from node.processes import WorkerProcess
from node.quarantine import prune
from node.readiness import Listens, Readiness
from node.receivers import receivers
from node.receiving import receiving, reception
from node.reconcile import reconcile
from node.release import SHADOW
from node.retention import delete_expendable
from node.syslog import Repository
from node.tick_times import TickTimes
from node.tls import peer_of
from node.watchdog import Watchdog
from node.worker import Worker

if TYPE_CHECKING:
    from inference.analyse import InProcess, Segmenter

log = logging.getLogger(__name__)

PRUNING_S = 3600.0
RETENTION_S = 60.0
GRACE_S = 10.0


def now() -> datetime:
    return datetime.now(UTC)


def open_sessions(settings: Settings) -> Sessions:
    settings.storage.folder.mkdir(parents=True, exist_ok=True)
    return _with_audit_key(_open_database(settings), settings)


def open_existing(settings: Settings) -> Sessions:
    """The database of a node that has run; a command that only looks makes none."""
    return _with_audit_key(open_to_look(settings), settings)


def open_to_look(settings: Settings) -> Sessions:
    """The same, without the key of the audit trail: nothing that happens can be written."""
    if settings.storage.database_url is None and not settings.storage.sqlite.exists():
        raise BadConfig(f"storage.folder: no node has run in {settings.storage.folder}")
    return _open_database(settings)


def _open_database(settings: Settings) -> Sessions:
    try:
        return open_database(settings.storage.url, settings.storage.database_password_file)
    except OSError as error:
        raise BadConfig(f"storage.database_password_file: {error.filename}: {error.strerror}") from None


def _with_audit_key(sessions: Sessions, settings: Settings) -> Sessions:
    """The key is made once, where none is configured; a trail that has one is never given another."""
    file = key_file(settings)
    if settings.audit.key_file is None and not file.exists() and not audit.has_begun(sessions):
        make_key(file)
    audit.begin(sessions, read_key(file), now=now())
    return sessions


def open_bundle(settings: Settings) -> Bundle:
    named = settings.inference.bundle
    return load_bundle(demonstration() if named == "demonstration" else named)


def open_candidate(settings: Settings) -> Bundle | None:
    return load_bundle(settings.inference.candidate) if settings.inference.candidate else None


def destination(settings: Settings, to: Recipient) -> CStoreDestination:
    own = settings.listener.ae_title
    return CStoreDestination(peer_of(to), calling_ae_title=own, timeout_s=settings.delivery.timeout_s)


def in_process(settings: Settings) -> "InProcess":
    """Analyses in this process, its models on their device: torch is loaded here and nowhere earlier."""
    from inference.analyse import InProcess, Models, Rules
    from inference.annotated import select_annotated
    from inference.classifier import Backend, BadBackend, Classifier, Disagrees, Precision
    from inference.targets import select_automatically

    rules = settings.inference
    segment = segmenter(rules)
    try:
        classifier = partial(
            Classifier,
            device=rules.device,
            batch_size=rules.batch_size,
            backend=None if rules.backend == "auto" else Backend(rules.backend),
            precision=Precision(rules.precision),
        )
        classify, second = classifier(open_bundle(settings)), open_candidate(settings)
        candidate = classifier(second) if second else None
    except (BadBackend, Disagrees) as error:
        raise BadConfig(f"inference.backend: {error}") from None
    for model in filter(None, (classify, candidate)):
        if said := model.bundle.of_other_lungs(segment.identity):
            log.warning("other lungs than in training", extra={"detail": said})
    site = Rules(
        minimum_lung_ml=rules.minimum_lung_ml,
        abstain_for=frozenset(_quality_code(word) for word in rules.abstain_for),
        algorithm_annotations=rules.algorithm_annotations,
    )
    return InProcess(Models(segment, (select_annotated, select_automatically), classify, site, candidate))


def segmenter(rules: Inference) -> "Segmenter":
    """The one that is configured, on its device."""
    import torch

    from inference.nnunet import BadModelFolder, embedded_lungs, load_nnunet
    from inference.threshold import ThresholdSegmenter

    if rules.device.startswith("cuda") and not torch.cuda.is_available():
        raise BadConfig(f"inference.device: is {rules.device}, and torch finds no CUDA device")
    try:
        match rules.segmenter:
            case "threshold":
                return ThresholdSegmenter()
            case "embedded":
                return load_nnunet(embedded_lungs(), ["lung"], rules.device)
            case Path() as folder:
                return load_nnunet(folder, rules.lung_labels, rules.device, axes=rules.lung_axes)
    except BadModelFolder as error:
        raise BadConfig(f"inference.segmenter: {error}") from None


def _quality_code(word: str) -> QualityCode:
    try:
        return QualityCode(word)
    except ValueError:
        known = ", ".join(QualityCode)
        raise BadConfig(
            f"inference.abstain_for: {word!r} is no input-quality finding; known are {known}"
        ) from None


@contextmanager
def _opened(settings: Settings) -> Iterator[Sessions]:
    sessions = open_sessions(settings)
    try:
        yield sessions
    finally:
        close_database(sessions)


@contextmanager
def worker(settings: Settings, stop: threading.Event) -> Iterator[Worker]:
    """A worker whose analyses run in a child process, while the block runs; `stop` gives up the one under way.

    It may end within `GRACE_S`; afterwards its job goes back to the queue, its attempt uncounted.
    """
    name = f"{socket.gethostname()}-{os.getpid()}"
    execute = SpawnedChild(partial(in_process, settings), blame, time_limit_s=settings.worker.time_limit_s)
    try:
        with (
            _opened(settings) as sessions,
            _noted(sessions, f"worker {name}"),
            _announced(),
            _abandoned_after(stop, execute.abandon),
        ):
            _name_shadow(settings)
            yield Worker(name, sessions, execute, settings, now)
    finally:
        execute.close()


@contextmanager
def _abandoned_after(stop: threading.Event, abandon: Callable[[], None]) -> Iterator[None]:
    done = threading.Event()

    def watch() -> None:
        stop.wait()
        if not done.wait(GRACE_S):
            abandon()

    threading.Thread(target=watch, name="stop watch", daemon=True).start()
    try:
        yield
    finally:
        done.set()


@contextmanager
def _noted(sessions: Sessions, program: str) -> Iterator[None]:
    """Start and stop of a program are rows of the audit trail; one that is killed leaves no stop."""
    _note_activity(sessions, STARTED, program)
    try:
        yield
    finally:
        try:
            with translated():
                _note_activity(sessions, STOPPED, program)
        except DatabaseUnusable as error:
            log.warning("stop not noted", extra={"reason": str(error)})


def _note_activity(sessions: Sessions, event: str, program: str) -> None:
    with sessions.begin() as session:
        audit.note(session, None, event, now=now(), detail=f"{program}, version {version('sedas-node')}")


@contextmanager
def running(settings: Settings, workers: WorkerProcess | None = None) -> Iterator[int]:
    """The listener and the ticks for as long as the block runs; gives the port listened on."""
    if not settings.listener.calling_ae_titles:
        raise BadConfig("listener.calling_ae_titles: is empty, so that nobody could send; name the PACS")
    with _opened(settings) as sessions:
        reconcile(settings, sessions, reception(settings, sessions, now), now=now())
        with _listening(settings, sessions, workers) as port:
            yield port


@contextmanager
def _listening(settings: Settings, sessions: Sessions, workers: WorkerProcess | None) -> Iterator[int]:
    times, listens_on = TickTimes(), Listens()
    _name_shadow(settings)
    with (
        _noted(sessions, f"node {socket.gethostname()}-{os.getpid()}"),
        answering(settings.http, _pages(settings, sessions, times, listens_on)),
        scp.bound(settings.listener) as listener,
        _receiving(settings, sessions, listener) as receive,
        ticks.ticking({**_ticks(settings, sessions, workers), **receive}, times),
        listens_on.while_up(port := listener.getsockname()[1]),
    ):
        secured = settings.listener.tls is not None
        log.info("listening", extra={"ae_title": settings.listener.ae_title, "port": port, "tls": secured})
        with _announced():
            yield port


def _name_shadow(settings: Settings) -> None:
    if settings.release.shadow:
        log.warning("shadow mode", extra={"reason": SHADOW})


@contextmanager
def _receiving(
    settings: Settings, sessions: Sessions, listener: socket.socket
) -> Iterator[dict[str, tuple[ticks.Tick, float]]]:
    """Reception in processes of its own, or, with one, in this; gives the ticks that keep it going."""
    if settings.listener.processes == 1:
        with receiving(settings, sessions, listener, now):
            yield {}
    else:
        with receivers(settings, listener) as processes:
            yield {"receivers": (processes.ensure, settings.ticks.leases_s)}


@contextmanager
def receiver(settings: Settings, listener: socket.socket) -> Iterator[None]:
    """One receiving process."""
    with _opened(settings) as sessions, receiving(settings, sessions, listener, now):
        yield


def _pages(settings: Settings, sessions: Sessions, times: TickTimes, listens: Listens) -> Mapping[str, Page]:
    state = Readiness(settings, sessions, times, listens.port)
    return pages(state.ills, state.obstacles, Metrics(settings, sessions, times, now).text)


@contextmanager
def _announced() -> Iterator[None]:
    """To systemd: ready before the block, stopping after it."""
    notify(READY)
    try:
        yield
    finally:
        notify(STOPPING)


def _ticks(
    settings: Settings, sessions: Sessions, workers: WorkerProcess | None
) -> dict[str, tuple[ticks.Tick, float]]:
    rules = settings.ticks
    thickness_mm = open_bundle(settings).preprocessing.slice_thickness_mm
    leases = LeaseWatch(sessions, settings.worker, now)

    archive = Archive(asking(settings))

    def completion() -> None:
        consider_studies(sessions, settings, archive, model_thickness_mm=thickness_mm, now=now())

    def delivery(to: Recipient, peer: CStoreDestination) -> None:
        send_due(sessions, to, peer, settings, now=now())
        if to.commitment:
            ask_due(sessions, to, peer, settings.delivery, now)

    recipients = settings.delivery.destinations

    def late_deliveries() -> None:
        park_unknown(sessions, {to.name for to in recipients}, now=now())
        forgo(sessions, {to.name for to in recipients if not to.commitment}, now=now())
        call_overdue(sessions, settings.delivery, now=now())

    def clock() -> None:
        mend_clock(sessions, settings, now=now())

    def old_quarantine() -> None:
        prune(settings, sessions, now=now())

    def old_images() -> None:
        delete_expendable(settings, sessions, now=now())

    every: dict[str, tuple[ticks.Tick, float]] = {
        **_audit_ticks(settings, sessions),
        **_watched_ticks(
            {"completion": (completion, rules.completion_s), "leases": (leases.look, rules.leases_s)},
            sessions,
        ),
        "late deliveries": (late_deliveries, rules.leases_s),
        "clock": (clock, rules.leases_s),
        "quarantine": (old_quarantine, PRUNING_S),
        "retention": (old_images, RETENTION_S),
    }
    for to in () if settings.release.shadow else recipients:
        every[f"delivery to {to.name}"] = (partial(delivery, to, destination(settings, to)), rules.delivery_s)
    if workers is not None:
        every["worker"] = (workers.ensure, rules.leases_s)
    return every


def _watched_ticks(
    watched: dict[str, tuple[ticks.Tick, float]], sessions: Sessions
) -> dict[str, tuple[ticks.Tick, float]]:
    """With a tick beside them that feeds the watchdog, where systemd keeps one: deliveries have timeouts of their own."""
    limit_s = watchdog_s()
    if limit_s is None:
        return watched

    def ask_database() -> None:
        with sessions() as session:
            installation_id(session)

    watchdog = Watchdog(limit_s / 2, ask_database)
    return {
        **{name: (watchdog.watched(name, tick), every_s) for name, (tick, every_s) in watched.items()},
        "watchdog": (watchdog.feed, limit_s / 10),
    }


def _audit_ticks(settings: Settings, sessions: Sessions) -> dict[str, tuple[ticks.Tick, float]]:
    def head() -> None:
        export_head(sessions, settings.audit_head_file, now=now())

    every: dict[str, tuple[ticks.Tick, float]] = {"audit head": (head, settings.audit.head_s)}
    if settings.audit.syslog is not None:
        repository = Repository(settings.audit.syslog, socket.gethostname())
        send = partial(export_trail, sessions, repository, settings, now)
        every["audit export"] = (send, settings.audit.syslog.send_s)
    return every
