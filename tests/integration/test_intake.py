"""From received images to a queued or rejected job."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from config.settings import Settings
from db import audit, jobs
from db.models import Job
from db.session import Sessions
from db.states import State
from inference.phantom import SOFT_KERNEL, Phantom, chest, write_study
from node.intake import consider_studies
from node.receive import Arrival
from tests.received import identify, receive


def _phantom(**choices: object) -> Phantom:
    return chest(seed=3, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=15.0, **choices)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sharp(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(_phantom(), tmp_path_factory.mktemp("sharp"))


@pytest.fixture(scope="module")
def soft(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_study(_phantom(kernel=SOFT_KERNEL), tmp_path_factory.mktemp("soft"), series_number=3)


@pytest.fixture
def rules(settings: Settings) -> Settings:
    """The slices of these phantoms are far apart, so that the tests are quick."""
    return settings.model_copy(
        update={"eligibility": settings.eligibility.model_copy(update={"maximum_slice_thickness_mm": 20.0})}
    )


def _receive(files: Iterable[Path], sessions: Sessions, rules: Settings, now: datetime) -> None:
    for file in files:
        content = file.read_bytes()
        identity = identify(content)
        arrival = Arrival("PACS", identity.sop_class_uid, identity.sop_instance_uid)
        receive(content, arrival, spool=rules.storage.spool, sessions=sessions, now=now)


def _consider(sessions: Sessions, rules: Settings, now: datetime) -> list[Job]:
    consider_studies(sessions, rules, model_thickness_mm=5.0, now=now + timedelta(seconds=2))
    with sessions() as session:
        return list(jobs.every(session))


def test_a_complete_study_is_queued_with_the_images_of_its_sharp_series(
    sharp: list[Path], soft: list[Path], sessions: Sessions, rules: Settings, now: datetime
) -> None:
    _receive([*soft, *sharp], sessions, rules, now)
    (job,) = _consider(sessions, rules, now)
    with sessions() as session:
        slices = jobs.inputs(session, job)
        details = {event.event: event.detail for event in audit.trail(session)}
    assert job.state is State.QUEUED
    assert {s.series_instance_uid for s in slices} == {job.series_instance_uid}
    assert len(slices) == len(sharp)
    assert "soft kernel B40f" in details["series not chosen"]
    assert "sharp kernel B70f" in details["series chosen"]


def test_a_study_that_still_arrives_waits(
    sharp: list[Path], sessions: Sessions, rules: Settings, now: datetime
) -> None:
    _receive(sharp, sessions, rules, now + timedelta(seconds=1.5))
    (job,) = _consider(sessions, rules, now)
    assert job.state is State.RECEIVING


def test_a_study_of_three_slices_is_rejected_with_the_reason(
    sharp: list[Path], sessions: Sessions, rules: Settings, now: datetime
) -> None:
    _receive(sharp[:3], sessions, rules, now)
    (job,) = _consider(sessions, rules, now)
    assert job.state is State.REJECTED
    assert "3 slices, at least 12" in job.reason


def test_the_rest_of_a_rejected_study_opens_a_generation_that_is_analysed(
    sharp: list[Path], sessions: Sessions, rules: Settings, now: datetime
) -> None:
    _receive(sharp[:3], sessions, rules, now)
    _consider(sessions, rules, now)
    _receive(sharp, sessions, rules, now)
    first, second = _consider(sessions, rules, now)
    assert (first.state, second.state, second.generation) == (State.REJECTED, State.QUEUED, 2)


def test_a_file_that_is_gone_is_dropped_with_the_reason(
    sharp: list[Path], sessions: Sessions, rules: Settings, now: datetime
) -> None:
    _receive(sharp, sessions, rules, now)
    next(rules.storage.spool.rglob("*.dcm")).unlink()
    (job,) = _consider(sessions, rules, now)
    with sessions() as session:
        dropped = [event.detail for event in audit.trail(session) if event.event == "image dropped"]
        assert len(jobs.inputs(session, job)) == len(sharp) - 1
    assert ["not on disk" in detail for detail in dropped] == [True]


def test_a_late_image_that_changes_nothing_causes_no_second_analysis(
    sharp: list[Path], soft: list[Path], sessions: Sessions, rules: Settings, now: datetime
) -> None:
    _receive(sharp, sessions, rules, now)
    _consider(sessions, rules, now)
    with sessions.begin() as session:
        jobs.claim(session, worker="w", lease=timedelta(seconds=60), now=now)
    _receive(soft, sessions, rules, now)
    first, second = _consider(sessions, rules, now)
    assert (first.state, second.state) == (State.RUNNING, State.REJECTED)
    assert second.reason == "nothing new to analyse since generation 1"


def test_a_study_whose_headers_are_nonsense_does_not_keep_others_waiting(
    sharp: list[Path], sessions: Sessions, rules: Settings, now: datetime, tmp_path: Path
) -> None:
    nonsense = write_study(
        chest(seed=4, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=15.0),
        tmp_path / "nonsense",
        header={"ConvolutionKernel": "", "BodyPartExamined": "", "PatientAge": "", "SliceThickness": None},
    )
    _receive([*nonsense, *sharp], sessions, rules, now)
    assert {job.state for job in _consider(sessions, rules, now)} == {State.QUEUED}
