import logging
from unittest.mock import Mock

import pytest

from node import watchdog as module
from node.watchdog import Watchdog


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> Mock:
    notify = Mock()
    monkeypatch.setattr(module, "notify", notify)
    return notify


def test_it_is_fed_while_ticks_end_and_the_database_answers(fed: Mock) -> None:
    watchdog = Watchdog(10.0, Mock(), Mock(return_value=0.0))
    watchdog.watched("leases", Mock())()
    watchdog.feed()
    fed.assert_called_once_with("WATCHDOG=1")


def test_a_tick_under_way_may_take_its_time_and_no_longer(
    fed: Mock, caplog: pytest.LogCaptureFixture
) -> None:
    seconds = iter([0.0, 10.0, 10.1])
    watchdog = Watchdog(10.0, Mock(), lambda: next(seconds))
    calls = []

    def slow() -> None:
        watchdog.feed()
        calls.append(fed.call_count)
        watchdog.feed()
        calls.append(fed.call_count)

    with caplog.at_level(logging.ERROR):
        watchdog.watched("completion", slow)()
    assert calls == [1, 1]
    assert [r.getMessage() for r in caplog.records] == ["ticks hang"]


def test_a_tick_that_failed_does_not_hang(fed: Mock) -> None:
    seconds = iter([0.0, 99.0])
    watchdog = Watchdog(10.0, Mock(), lambda: next(seconds))
    with pytest.raises(ZeroDivisionError):
        watchdog.watched("completion", Mock(side_effect=ZeroDivisionError))()
    watchdog.feed()
    fed.assert_called_once()


def test_it_is_not_fed_without_a_database(fed: Mock) -> None:
    watchdog = Watchdog(10.0, Mock(side_effect=ConnectionError), Mock(return_value=0.0))
    with pytest.raises(ConnectionError):
        watchdog.feed()
    fed.assert_not_called()
