"""What befalls a node in a soak: kills of its processes and outages of the PACS, at random until the calm."""

import os
import random
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT
from tests.faults.load import Target
from tests.faults.pacs import Pacs, open_pacs
from tests.faults.processes import Process, processes_of
from tests.faults.site import stop
from tests.nodes import listening_port

CALM_SHARE = 0.25  # of the time, at the end
KILL_S, OUTAGE_S, AWAY_S = (20, 60), (60, 120), (5, 20)
SHORT_MINUTES = 2.0  # a shorter run has more of it a minute


@dataclass
class Soak:
    """What happened so far; it is kept each second, so that a run that was cut goes on."""

    minutes: float
    seconds: float = 0.0
    studies: int = 0
    images: int = 0  # acknowledged
    objects: int = 0  # at the PACS
    arrivals: int = 0  # there, repeats included
    rubbish: int = 0
    kills: list[tuple[float, str]] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)

    @property
    def calm_from(self) -> float:
        return self.minutes * 60 * (1 - CALM_SHARE)


def quiet() -> dict[str, str]:
    """The environment of a node that leaves room for others."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


class Running:
    """The node, started again whenever it is gone."""

    def __init__(self, config: Path, target: Target) -> None:
        self._command = [sys.executable, "-m", "node", "run", "--with-worker", "--config", str(config)]
        self._log = config.with_suffix(".log")
        self._begins = 0
        self._target = target
        self._process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._target.port = 0
            self._begins = self._log.stat().st_size if self._log.exists() else 0
            with self._log.open("ab") as output:
                self._process = subprocess.Popen(self._command, stderr=output, cwd=ROOT, env=quiet())
        elif not self._target.port:
            self._target.port = listening_port(self._log, self._begins)

    def processes(self) -> list[Process]:
        return [] if self._process is None else list(processes_of(self._process.pid))

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            stop(self._process)


class Weather:
    """Kills and outages at random, until the calm."""

    def __init__(self, soak: Soak, pacs: Pacs, rng: random.Random) -> None:
        self._soak, self._pacs, self._rng = soak, pacs, rng
        self._stack = ExitStack()
        self._stack.enter_context(open_pacs(pacs))
        self._next_kill = soak.seconds + self._wait(*KILL_S)
        self._next_outage = soak.seconds + self._wait(*OUTAGE_S)
        self._outage_ends: float | None = None

    def _wait(self, least_s: float, most_s: float) -> float:
        return self._rng.uniform(least_s, most_s) * min(1.0, self._soak.minutes / SHORT_MINUTES)

    def change(self, processes: list[Process]) -> None:
        now, calm = self._soak.seconds, self._soak.seconds >= self._soak.calm_from
        if self._outage_ends is not None and now >= self._outage_ends:
            self._stack.enter_context(open_pacs(self._pacs))
            self._soak.outages.append((self._next_outage, now))
            self._outage_ends, self._next_outage = None, now + self._wait(*OUTAGE_S)
        if calm:
            return
        if self._outage_ends is None and now >= self._next_outage:
            self._stack.close()
            self._next_outage, self._outage_ends = now, now + self._wait(*AWAY_S)
        if now >= self._next_kill and processes:
            role = self._rng.choice(sorted({process.role for process in processes}))
            victim = self._rng.choice([process for process in processes if process.role == role])
            with suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)
                self._soak.kills.append((now, role))
            self._next_kill = now + self._wait(*KILL_S)

    def end(self) -> None:
        self._stack.close()
