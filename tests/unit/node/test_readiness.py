"""What keeps a node from taking images in is listed, and figures are given without a database too."""

from datetime import datetime
from unittest.mock import Mock

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import orm

from config.settings import Settings
from db.session import Session, Sessions, connect
from node.metrics import Metrics
from node.readiness import Listens, Readiness
from node.tick_times import TickTimes


@pytest.fixture
def gone(settings: Settings) -> Sessions:
    """A database in a folder that is not there."""
    settings.storage.folder.mkdir(parents=True)
    return orm.sessionmaker(connect(f"sqlite:///{settings.storage.folder / 'no' / 'db'}"), class_=Session)


def test_nothing_is_wrong_with_a_node_that_listens(settings: Settings, sessions: Sessions) -> None:
    settings.storage.spool.mkdir(parents=True)
    listens = Listens()
    readiness = Readiness(settings, sessions, TickTimes(), listens.port)
    with listens.while_up(11112):
        assert readiness.obstacles() == []
    assert readiness.obstacles() == ["the listener is not up"]


def test_everything_that_is_wrong_is_listed(settings: Settings, gone: Sessions) -> None:
    clock = Mock(return_value=0.0)
    times = TickTimes(clock)
    clock.return_value = 61.1
    readiness = Readiness(settings, gone, times, lambda: None)
    assert readiness.ills() == ["tick completion hangs"]
    assert readiness.obstacles() == [
        "tick completion hangs",
        "the listener is not up",
        "the database does not answer",
    ]


def test_without_its_database_a_node_gives_the_other_figures(
    settings: Settings, gone: Sessions, now: datetime
) -> None:
    text = Metrics(settings, gone, TickTimes(), lambda: now).text().decode()
    values = {s.name: s.value for f in text_string_to_metric_families(text) for s in f.samples}
    assert values["sedas_node_database_up"] == 0
    assert values["sedas_node_disk_free_bytes"] > 0
    assert "sedas_node_jobs" not in values
