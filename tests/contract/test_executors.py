"""What an Executor promises, and what the child process adds: it can hang or die, and the next request is answered."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from inference.bundle import BadBundle
from inference.executor import Abandoned, ChildDied, Executor, Failed, SpawnedChild, TookTooLong
from inference.executor import Request as Asked
from inference.findings import Analysis
from inference.phantom import LesionKind, write_study
from inference.volume import TooFewSlices
from node import app
from node.logs import blame
from tests.failing import Doing, asked, models_in, no_models
from tests.models import QUICK_SETTINGS
from tests.phantom import small_chest


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    phantom = small_chest(9, LesionKind.PIMA_LIKE)
    return tuple(write_study(phantom, tmp_path_factory.mktemp("study")))


@pytest.fixture(scope="module", params=["in process", "spawned child"])
def execute(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "in process":
        yield app.in_process(QUICK_SETTINGS)
        return
    child = SpawnedChild(partial(app.in_process, QUICK_SETTINGS), blame, time_limit_s=250.0)
    yield child
    child.close()


@pytest.fixture
def child() -> Iterator[SpawnedChild]:
    child = SpawnedChild(Doing, blame, time_limit_s=60.0)
    yield child
    child.close()


def ignored(_stage: str) -> None:
    """No one listens."""


def test_it_analyses_and_says_where_it_is(execute: Executor, study: tuple[Path, ...]) -> None:
    stages: list[str] = []
    analysis = execute(Asked(study), on_stage=stages.append)
    assert stages == ["load", "segment", "select", "classify"]
    expected = app.in_process(QUICK_SETTINGS)(Asked(study), on_stage=ignored)
    assert analysis.probability == expected.probability is not None
    assert [s.sop_instance_uid for s in analysis.slices] == [s.sop_instance_uid for s in expected.slices]
    assert all(np.array_equal(a.hu, b.hu) for a, b in zip(analysis.slices, expected.slices, strict=True))


def test_a_candidate_is_scored_beside_unless_it_is_not_asked_for(
    study: tuple[Path, ...], next_bundle: Path
) -> None:
    rules = QUICK_SETTINGS.inference.model_copy(update={"candidate": next_bundle})
    build = partial(app.in_process, QUICK_SETTINGS.model_copy(update={"inference": rules}))
    with closing(SpawnedChild(build, blame, time_limit_s=250.0)) as execute:
        both, alone = (execute(Asked(study, candidate=asked), on_stage=ignored) for asked in (True, False))
    assert both.candidate is not None
    assert alone.candidate is not None
    assert both.candidate.classifier.version == "next"
    assert both.candidate.probability == both.probability == alone.probability
    assert (alone.candidate.probability, alone.candidate.failure[:8]) == (None, "left out")


def test_a_refusal_comes_back_as_it_is(execute: Executor, study: tuple[Path, ...]) -> None:
    with pytest.raises(TooFewSlices, match="1 slices, expected at least 2"):
        execute(Asked(study[:1]), on_stage=ignored)


def test_a_hanging_analysis_ends_at_its_limit_and_the_next_is_answered() -> None:
    child = SpawnedChild(Doing, blame, time_limit_s=5.0)
    with pytest.raises(TookTooLong, match=r"longer than 5 s, it was in stage load"):
        child(asked("hang"), on_stage=ignored)
    assert isinstance(child(asked("analyse"), on_stage=ignored), Analysis)
    child.close()


def test_an_analysis_that_is_abandoned_ends_and_no_other_begins(child: SpawnedChild) -> None:
    def abandon(stage: str) -> None:
        assert stage == "load"
        Thread(target=child.abandon).start()

    with pytest.raises(Abandoned):
        child(asked("hang"), on_stage=abandon)
    with pytest.raises(Abandoned):
        child(asked("analyse"), on_stage=ignored)


def test_a_killed_child_is_named_and_replaced(child: SpawnedChild) -> None:
    with pytest.raises(ChildDied, match="died in stage load, exit code -9"):
        child(asked("die"), on_stage=ignored)
    assert isinstance(child(asked("analyse"), on_stage=ignored), Analysis)


@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        ("run out of memory", MemoryError, "MemoryError at failing.py"),
        ("lose the GPU", Exception, "RuntimeError at failing.py"),
    ],
)
def test_a_failure_is_described_without_its_text_and_the_child_replaced(
    what: str, kind: type[Exception], said: str, child: SpawnedChild
) -> None:
    with pytest.raises(Failed, match=said) as failure:
        child(asked(what), on_stage=ignored)
    assert failure.value.kind is kind
    assert "Jane" not in str(failure.value)
    assert isinstance(child(asked("analyse"), on_stage=ignored), Analysis)


def test_models_that_go_bad_meanwhile_fail_the_request_and_serve_again_once_mended(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    child = SpawnedChild(partial(models_in, folder), blame, time_limit_s=60.0)
    with pytest.raises(ChildDied):
        child(asked("die"), on_stage=ignored)
    folder.rmdir()
    with pytest.raises(BadBundle, match="sha256 is not the card's"):
        child(asked("analyse"), on_stage=ignored)
    folder.mkdir()
    assert isinstance(child(asked("analyse"), on_stage=ignored), Analysis)
    child.close()


def test_a_refusal_keeps_the_child_and_its_models(child: SpawnedChild) -> None:
    before = child._child
    with pytest.raises(TooFewSlices):
        child(asked("refuse"), on_stage=ignored)
    assert child._child is before is not None


def test_models_that_cannot_be_built_are_named_at_once() -> None:
    with pytest.raises(BadBundle, match="sha256 is not the card's"):
        SpawnedChild(no_models, blame, time_limit_s=60.0)
