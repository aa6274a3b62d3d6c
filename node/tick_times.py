"""What the ticks did: how often, how long, when last with success, and which are under way."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Condition


@dataclass(frozen=True)
class TickTime:
    calls: int = 0
    failures: int = 0
    seconds: float = 0.0  # of all calls together
    succeeded_at: float | None = None  # in seconds since 1970


class TickTimes:
    """Kept by the clock's threads, read by others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[str, float] = {}
        self._moved: dict[str, float] = {}
        self._of: dict[str, TickTime] = {}
        self._changed = Condition()
        self._started = clock()
        self._has_ended = False

    def begin(self, name: str) -> bool:
        """False once `end` was called: nothing begins any more."""
        with self._changed:
            if self._has_ended:
                return False
            self._begun[name] = self._moved[name] = self._clock()
            return True

    def finish(self, name: str, *, has_failed: bool, at: float) -> None:
        with self._changed:
            now = self._clock()
            former = self._of.get(name, TickTime())
            self._of[name] = replace(
                former,
                calls=former.calls + 1,
                failures=former.failures + has_failed,
                seconds=former.seconds + now - self._begun.pop(name),
                succeeded_at=former.succeeded_at if has_failed else at,
            )
            self._moved[name] = now
            self._changed.notify_all()

    def end(self, *, within_s: float) -> Sequence[str]:
        """Let no tick begin, and wait for those under way; gives those that take longer."""
        with self._changed:
            self._has_ended = True
            self._changed.wait_for(lambda: not self._begun, within_s)
            return sorted(self._begun)

    def so_far(self) -> Mapping[str, TickTime]:
        with self._changed:
            return dict(self._of)

    def hanging(self, limits_s: Mapping[str, float]) -> Sequence[str]:
        """Those of the named ticks that have neither begun nor ended for longer than their limit."""
        with self._changed:
            now = self._clock()
            return [n for n, limit in limits_s.items() if now - self._moved.get(n, self._started) > limit]
