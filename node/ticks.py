"""The clock: APScheduler calls each tick at its interval, one at a time; all state is in the database."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from apscheduler.schedulers.background import BackgroundScheduler

from node.logs import blame

log = logging.getLogger(__name__)

Tick = Callable[[], None]


@contextmanager
def ticking(ticks: Mapping[str, tuple[Tick, float]]) -> Iterator[None]:
    """Call every tick at its interval in seconds while the block runs; the last calls end before it does."""
    clock = BackgroundScheduler(timezone="UTC")
    for name, (tick, interval_s) in ticks.items():
        clock.add_job(
            _guarded,
            "interval",
            seconds=interval_s,
            args=[name, tick],
            id=name,
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )
    clock.start()
    try:
        yield
    finally:
        clock.shutdown(wait=True)


def _guarded(name: str, tick: Tick) -> None:
    try:
        tick()
    except Exception as error:  # noqa: BLE001 - a tick that fails once is called again; the clock must not stop
        log.error("tick failed", extra={"tick": name, "error": blame(error)})
