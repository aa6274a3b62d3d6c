"""Whether the node still does its work: no tick hangs, and the database answers. If not, systemd restarts it."""

import logging
import time
from collections.abc import Callable
from functools import partial

from node.notify import ALIVE, notify
from node.ticks import Tick

log = logging.getLogger(__name__)


class Watchdog:
    def __init__(
        self, limit_s: float, ask_database: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """A watched tick may take `limit_s`; `ask_database` raises when the database does not answer."""
        self._limit_s = limit_s
        self._ask_database = ask_database
        self._clock = clock
        self._begun: dict[str, float] = {}

    def watched(self, name: str, tick: Tick) -> Tick:
        """The same tick, and how long it has been under way."""
        return partial(self._run, name, tick)

    def feed(self) -> None:
        """Tell systemd that the node lives, unless a tick hangs. Raises what the database does."""
        now = self._clock()
        hanging = [name for name, begun in self._begun.copy().items() if now - begun > self._limit_s]
        if hanging:
            log.error("ticks hang", extra={"ticks": hanging})
            return
        self._ask_database()
        notify(ALIVE)

    def _run(self, name: str, tick: Tick) -> None:
        self._begun[name] = self._clock()
        try:
            tick()
        finally:
            del self._begun[name]
