"""The worker and its jobs, with models that fail in every way."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from pydicom.uid import Comprehensive3DSRStorage
from safetensors.torch import load_file, save_file

from config.settings import Settings
from db import deliveries, jobs, results
from db.figures import figures
from db.models import DeliveryState, Job
from db.session import Sessions
from db.states import State
from dicom_out import stamp
from inference import volume
from inference.analyse import InProcess, Models
from inference.bundle import WEIGHTS, demonstration, load_bundle
from inference.classifier import Backend, Classifier
from inference.executor import Abandoned, ChildDied, Executor, OnStage, Request, SpawnedChild
from inference.findings import Analysis, SlicePolicy
from inference.morphology import Mask
from inference.phantom import LesionKind, write_study
from inference.targets import Selection
from inference.threshold import ThresholdSegmenter
from inference.volume import CtVolume
from node import app
from node.inspection import ResultGone, inspect
from node.intake import consider_studies
from node.interventions import CannotIntervene, retry_job
from node.logs import blame
from node.receive import Arrival
from node.steps import Input, Origin, process
from node.worker import Worker
from tests.databases import ON_SQLITE
from tests.failing import Doing
from tests.models import QUICK_SETTINGS
from tests.phantom import small_chest
from tests.received import identify, receive

LATER = timedelta(hours=1)


class Failing(ThresholdSegmenter):
    """A segmenter that does something else."""

    def __init__(self, does: Callable[[], object]) -> None:
        super().__init__()
        object.__setattr__(self, "does", does)

    def __call__(self, volume: CtVolume) -> Mask:
        self.does()  # type: ignore[attr-defined]
        return np.zeros(volume.hu.shape, dtype=np.bool_)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(small_chest(9, LesionKind.PIMA_LIKE), tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def models() -> Models:
    return app.in_process(QUICK_SETTINGS).models


@pytest.fixture
def node(settings: Settings) -> Settings:
    """A node with one destination."""
    there = {"destinations": [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}]}
    return Settings.model_validate(settings.model_dump() | {"delivery": there})


@pytest.fixture
def queued(study: list[Path], sessions: Sessions, node: Settings, now: datetime) -> int:
    for file in study:
        content = file.read_bytes()
        identity = identify(content)
        arrival = Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid)
        receive(content, arrival, spool=node.storage.spool, sessions=sessions, now=now)
    consider_studies(sessions, node, model_thickness_mm=5.0, now=now + timedelta(seconds=2))
    with sessions() as session:
        (job,) = jobs.in_state(session, State.QUEUED)
        return job.id


def _work(sessions: Sessions, models: Models | Executor, node: Settings, at: datetime) -> Job:
    execute = InProcess(models) if isinstance(models, Models) else models
    Worker("w", sessions, execute, node, lambda: at).work_once()
    with sessions() as session:
        (job,) = jobs.every(session)
        return job


def test_results_are_files_and_rows_before_the_job_moves_on(
    queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    job = _work(sessions, models, node, now)
    assert (job.id, job.state, job.lease_owner) == (queued, State.DELIVERING, None)
    with sessions() as session:
        result = results.of_job(session, job)
        assert result is not None
        waiting = deliveries.of_job(session, job)
        assert [d.sop_instance_uid for d in waiting] == [made.sop_instance_uid for made in result.objects]
        assert all((node.storage.outbox / made.path).is_file() for made in result.objects)
        assert result.slices
        assert result.probability == pytest.approx(np.mean([s.probability for s in result.slices]))


@ON_SQLITE
def test_what_is_missing_in_the_study_stands_in_the_result_and_its_report(
    queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    missing = "study incomplete: series 1.2.3: 40 of 120 instances at the archive"
    with sessions.begin() as session:
        session.get_one(Job, queued).missing = missing
    job = _work(sessions, models, node, now)
    with sessions() as session:
        result = results.of_job(session, job)
        assert result is not None
        assert [q.text for q in result.input_quality if q.code == "incomplete_study"] == [f"{missing}."]
        reports = [made for made in result.objects if made.sop_class_uid == Comprehensive3DSRStorage]
    (report,) = ((node.storage.outbox / made.path).read_bytes() for made in reports)
    assert f"{missing}.".encode() in report


@ON_SQLITE
def test_a_faulty_object_is_kept_and_never_sent_whoever_asks(
    queued: int,
    sessions: Sessions,
    models: Models,
    node: Settings,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stamp, "IMPLEMENTATION_CLASS_UID", "1.2.3")
    job = _work(sessions, models, node, now)
    assert (job.id, job.state) == (queued, State.FAILED)
    assert job.reason.startswith("not sent, object 2.25.")
    with sessions() as session:
        result = results.of_job(session, job)
        assert result is not None
        every = deliveries.of_job(session, job)
        assert [d.sop_instance_uid for d in every] == [made.sop_instance_uid for made in result.objects]
        assert {(d.state, d.attempts) for d in every} == {(DeliveryState.PARKED, 0)}
        assert all((node.storage.outbox / made.path).is_file() for made in result.objects)
    with pytest.raises(CannotIntervene, match="fails the check: ImplementationClassUID"):
        retry_job(sessions, job.id, node.storage, now=now)


@ON_SQLITE
def test_only_the_very_bytes_that_were_made_are_sent_again(
    queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    job = _work(sessions, models, node, now)
    with sessions.begin() as session:
        result = results.of_job(session, job)
        assert result is not None
        assert inspect(session, session.get_one(Job, queued), node.storage) == ()
        file = node.storage.outbox / result.objects[0].path
        file.write_bytes(file.read_bytes()[:-2])
        with pytest.raises(ResultGone, match="its file has changed"):
            inspect(session, session.get_one(Job, queued), node.storage)
        file.unlink()
        with pytest.raises(ResultGone, match="No such file"):
            inspect(session, session.get_one(Job, queued), node.storage)


@ON_SQLITE
@pytest.mark.parametrize("level", ["candidates", "shadow"])
def test_the_release_level_decides_what_leaves_and_the_rows_keep_the_score(
    level: str, queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    release = {"release": {"automatic": level}}
    job = _work(sessions, models, Settings.model_validate(node.model_dump() | release), now)
    assert job.id == queued
    assert job.state is (State.DONE if level == "shadow" else State.DELIVERING)
    with sessions() as session:
        result = results.of_job(session, job)
        assert result is not None
        assert result.probability is not None
        texts = b"".join((node.storage.outbox / made.path).read_bytes() for made in result.objects)
    assert (b"Model probability of PIMA" in texts) is (level == "shadow")


@pytest.fixture(scope="module")
def with_candidate(models: Models, next_bundle: Path) -> Models:
    return replace(models, candidate=Classifier(load_bundle(next_bundle), backend=Backend.EAGER))


def test_a_candidates_score_is_a_row_and_in_no_object(
    queued: int, sessions: Sessions, with_candidate: Models, node: Settings, now: datetime
) -> None:
    job = _work(sessions, with_candidate, node, now)
    assert (job.id, job.state) == (queued, State.DELIVERING)
    with sessions() as session:
        result = results.of_job(session, job)
        assert result is not None
        assert result.candidate is not None
        assert result.candidate.classifier_version == "next"
        assert result.candidate.probability == result.probability
        assert result.classifier_version != "next"
        objects = b"".join((node.storage.outbox / made.path).read_bytes() for made in result.objects)
    assert result.candidate.classifier_digest.encode() not in objects


@ON_SQLITE
def test_the_objects_are_the_same_bytes_with_a_candidate_and_without(
    queued: int, sessions: Sessions, models: Models, with_candidate: Models, node: Settings, now: datetime
) -> None:
    with sessions() as session:
        inputs = [
            Input(node.storage.spool / i.path, i.sha256)
            for i in jobs.inputs(session, session.get_one(Job, queued))
        ]
    made = [
        process(
            inputs, (), InProcess(each), node, Origin("here", 1, now), node.storage.outbox / name,
            on_stage=lambda _: None,
        ).objects
        for name, each in (("alone", models), ("both", with_candidate))
    ]  # fmt: skip
    assert [(o.sop_instance_uid, o.sha256) for o in made[0]] == [
        (o.sop_instance_uid, o.sha256) for o in made[1]
    ]


@ON_SQLITE
def test_a_candidate_that_hangs_or_dies_costs_an_attempt_and_not_the_result(
    queued: int, sessions: Sessions, with_candidate: Models, node: Settings, now: datetime
) -> None:
    def dying(request: Request, *, on_stage: OnStage) -> Analysis:
        if request.candidate:
            raise ChildDied("the analysing process died in stage candidate, exit code -9")
        return InProcess(with_candidate)(request, on_stage=on_stage)

    assert _work(sessions, dying, node, now).state is State.QUEUED
    job = _work(sessions, dying, node, now + LATER)
    assert (job.id, job.state) == (queued, State.DELIVERING)
    with sessions() as session:
        result = results.of_job(session, job)
        assert result is not None
        assert result.candidate is not None
        assert result.candidate.failure == "left out: an earlier attempt at this analysis failed"
    assert figures(sessions, now=now).candidate_failures == 1


@ON_SQLITE
@pytest.mark.parametrize(("rule", "state"), [("send", State.DELIVERING), ("keep", State.DONE)])
def test_a_result_without_a_number_is_sent_or_kept_as_configured(
    rule: str, state: State, queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    ruled = Settings.model_validate(node.model_dump() | {"results": {"abstentions": rule}})
    job = _work(sessions, replace(models, select=(lambda *_: Selection(SlicePolicy.NONE),)), ruled, now)
    assert (job.id, job.state) == (queued, state)
    with sessions() as session:
        result = results.of_job(session, job)
        assert result is not None
        assert result.probability is None
        assert len(result.objects) == 2
        assert len(deliveries.of_job(session, job)) == (2 if rule == "send" else 0)


@ON_SQLITE
def test_a_study_of_a_sender_that_no_destination_takes_stays_and_says_so(
    queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    [there] = node.delivery.destinations
    elsewhere = there.model_copy(update={"senders": ("OTHER",)})
    ruled = node.model_copy(
        update={"delivery": node.delivery.model_copy(update={"destinations": (elsewhere,)})}
    )
    job = _work(sessions, models, ruled, now)
    assert (job.id, job.state) == (queued, State.DONE)
    assert job.reason == "no destination takes studies of its sender"


@ON_SQLITE
def test_a_chest_without_lungs_is_rejected_with_the_reason(
    queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    job = _work(sessions, replace(models, segment=Failing(lambda: None)), node, now)
    assert (job.id, job.state) == (queued, State.REJECTED)
    assert job.reason == "0 ml of lung, need 500 ml"


def test_a_failure_is_tried_again_and_then_given_up_without_quoting_it(
    queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    def fail() -> None:
        raise RuntimeError("Roe^Jane")

    failing = replace(models, segment=Failing(fail))
    first = _work(sessions, failing, node, now)
    assert (first.state, first.not_before) == (State.QUEUED, now + timedelta(seconds=10))
    assert _work(sessions, failing, node, now).attempts == 1
    last = _work(sessions, failing, node, now + LATER)
    assert (last.id, last.state, last.attempts) == (queued, State.FAILED, 2)
    assert last.reason.startswith("RuntimeError at test_worker.py:")
    assert "Jane" not in last.reason


@ON_SQLITE
@pytest.mark.parametrize(
    ("what", "reason", "attempts"),
    [
        ("hang", "the analysis took longer than 0.5 s, it was in stage load", 2),
        ("die", "the analysing process died in stage load, exit code -9", 5),
        ("lose the GPU", "RuntimeError at failing.py", 2),
    ],
)
def test_a_child_that_goes_wrong_costs_the_job_its_attempts_and_no_worker(
    what: str, reason: str, attempts: int, queued: int, sessions: Sessions, node: Settings, now: datetime
) -> None:
    wrong = SpawnedChild(partial(Doing, what), blame, time_limit_s=0.5)
    for attempt in range(1, attempts):
        assert _work(sessions, wrong, node, now + attempt * LATER).state is State.QUEUED
    last = _work(sessions, wrong, node, now + attempts * LATER)
    assert (last.id, last.state, last.attempts) == (queued, State.FAILED, attempts)
    assert last.reason.startswith(reason)
    with sessions() as session:
        assert results.of_job(session, last) is None


@ON_SQLITE
def test_a_network_that_gives_nan_fails_the_job_with_the_count(
    queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime, tmp_path: Path
) -> None:
    broken = replace(models, classify=_overflowing(tmp_path))
    _work(sessions, broken, node, now)
    last = _work(sessions, broken, node, now + LATER)
    assert (last.id, last.state) == (queued, State.FAILED)
    assert re.fullmatch(r"NotFinite: \d+ of \d+ slices get .* not finite", last.reason)
    assert (
        _work(sessions, models, node, now + LATER).state is State.FAILED
    )  # the worker lives and looks for work


def _overflowing(folder: Path) -> Classifier:
    """The embedded network with a head so large that its sums are infinite."""
    bundle = load_bundle(demonstration())
    weights = load_file(bundle.weights)
    weights["fc.weight"] = torch.full_like(weights["fc.weight"], 3e38)
    save_file(weights, folder / WEIGHTS)
    return Classifier(bundle.model_copy(update={"folder": folder}), backend=Backend.EAGER)


@ON_SQLITE
def test_a_volume_too_large_for_memory_fails_the_job_with_the_numbers(
    queued: int,
    sessions: Sessions,
    models: Models,
    node: Settings,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(volume, "available_bytes", lambda: 1_000_000)
    for attempt in range(3):
        job = _work(sessions, models, node, now + attempt * LATER)
    assert (job.id, job.state, job.attempts) == (queued, State.FAILED, 3)
    assert re.match(
        r"TooLargeForMemory: \d+ slices of \d+ x \d+ need [\d.]+ GB, 0.00 GB are free", job.reason
    )


def test_a_worker_that_stops_gives_its_job_back_and_the_attempt_does_not_count(
    queued: int, sessions: Sessions, node: Settings, now: datetime
) -> None:
    def abandoned(_request: object, *, on_stage: object) -> Analysis:  # noqa: ARG001 - the Executor's
        raise Abandoned("the worker stops")

    job = _work(sessions, abandoned, node, now)
    assert (job.id, job.state, job.attempts, job.reason) == (queued, State.QUEUED, 0, "the worker stops")


def test_a_worker_that_lost_its_lease_stores_nothing(
    queued: int, sessions: Sessions, models: Models, node: Settings, now: datetime
) -> None:
    def another_worker_takes_over() -> None:
        with sessions.begin() as session:
            session.get_one(Job, queued).lease_owner = "another"

    class Overtaken(Failing):
        def __call__(self, volume: CtVolume) -> Mask:
            another_worker_takes_over()
            return models.segment(volume)

    job = _work(sessions, replace(models, segment=Overtaken(lambda: None)), node, now)
    assert (job.state, job.lease_owner) == (State.RUNNING, "another")
    with sessions() as session:
        assert results.of_job(session, job) is None
