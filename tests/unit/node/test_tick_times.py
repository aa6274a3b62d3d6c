from unittest.mock import Mock

from node.tick_times import TickTime, TickTimes


def test_calls_seconds_failures_and_the_last_success_are_kept() -> None:
    times = TickTimes(Mock(side_effect=[0.0, 1.0, 3.0, 10.0, 11.0]))
    times.begin("leases")
    times.finish("leases", has_failed=False, at=1000.0)
    times.begin("leases")
    times.finish("leases", has_failed=True, at=2000.0)
    assert times.so_far() == {"leases": TickTime(calls=2, failures=1, seconds=3.0, succeeded_at=1000.0)}


def test_a_tick_hangs_that_neither_begins_nor_ends() -> None:
    clock = Mock(return_value=0.0)
    times = TickTimes(clock)
    limits = {"completion": 60.0, "leases": 60.0}
    clock.return_value = 50.0
    times.begin("leases")
    clock.return_value = 61.0
    assert times.hanging(limits) == ["completion"]  # has never begun
    clock.return_value = 111.0
    assert times.hanging(limits) == ["completion", "leases"]
    times.finish("leases", has_failed=True, at=0.0)
    assert times.hanging(limits) == ["completion"]


def test_after_the_end_nothing_begins_and_what_takes_too_long_is_named() -> None:
    times = TickTimes()
    assert times.begin("delivery")
    assert times.end(within_s=0.0) == ["delivery"]
    assert not times.begin("leases")
    times.finish("delivery", has_failed=False, at=0.0)
    assert times.end(within_s=0.0) == []
