"""The clock: APScheduler calls each tick at its interval, one at a time; all state is in the database."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from apscheduler.schedulers.background import BackgroundScheduler

from node.logs import blame
from node.tick_times import TickTimes

log = logging.getLogger(__name__)

Tick = Callable[[], None]
STOP_S = 15.0


@contextmanager
def ticking(ticks: Mapping[str, tuple[Tick, float]], times: TickTimes | None = None) -> Iterator[None]:
    """Call every tick at its interval in seconds while the block runs.

    The last calls end before it does, unless they take longer than `STOP_S`: what they do then is done again later.
    """
    noted = times or TickTimes()
    clock = BackgroundScheduler(timezone="UTC")
    for name, (tick, interval_s) in ticks.items():
        clock.add_job(
            _guarded,
            "interval",
            seconds=interval_s,
            args=[name, tick, noted],
            id=name,
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )
    clock.start()
    try:
        yield
    finally:
        clock.shutdown(wait=False)
        if late := noted.end(within_s=STOP_S):
            log.warning("ticks not awaited", extra={"ticks": late})


def _guarded(name: str, tick: Tick, times: TickTimes) -> None:
    if not times.begin(name):
        return
    has_failed = True
    try:
        tick()
        has_failed = False
    except Exception as error:  # noqa: BLE001 - a tick that fails once is called again; the clock must not stop
        log.error("tick failed", extra={"tick": name, "error": blame(error)})
    finally:
        times.finish(name, has_failed=has_failed, at=time.time())
