"""Whether the node lives and can take images in: each thing that is wrong in a plain line, nothing of a patient."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from config.settings import Settings
from db.session import DatabaseUnusable, Sessions, installation_id, translated
from node.tick_times import TickTimes

PATIENCE_S = 60.0
"""A tick that looks for work hangs when it has not moved for so long beside its interval."""


class Listens:
    """On which port the listener is up, if it is."""

    def __init__(self) -> None:
        self._port: int | None = None

    def port(self) -> int | None:
        return self._port

    @contextmanager
    def while_up(self, port: int) -> Iterator[None]:
        self._port = port
        try:
            yield
        finally:
            self._port = None


@dataclass(frozen=True)
class Readiness:
    settings: Settings
    sessions: Sessions
    times: TickTimes
    listening_on: Callable[[], int | None]

    def ills(self) -> Sequence[str]:
        """What a restart would mend."""
        rules = self.settings.ticks
        limits = {"completion": rules.completion_s + PATIENCE_S, "leases": rules.leases_s + PATIENCE_S}
        return [f"tick {name} hangs" for name in self.times.hanging(limits)]

    def obstacles(self) -> Sequence[str]:
        """Why an image sent now would not be taken in."""
        deaf = [] if self.listening_on() else ["the listener is not up"]
        return [*self.ills(), *deaf, *self._database(), *self._disk()]

    def _database(self) -> Sequence[str]:
        try:
            with translated(), self.sessions() as session:
                installation_id(session)
        except DatabaseUnusable:
            return ["the database does not answer"]
        return []

    def _disk(self) -> Sequence[str]:
        storage = self.settings.storage
        wrong = []
        try:
            free = shutil.disk_usage(storage.folder).free
            if free < storage.minimum_free_bytes:
                wrong.append(
                    f"{free} bytes are free, fewer than storage.minimum_free_bytes ({storage.minimum_free_bytes})"
                )
        except OSError as error:
            wrong.append(f"the disk of storage.folder cannot be asked: {error.strerror}")
        spool = storage.spool if storage.spool.exists() else storage.folder
        if not os.access(spool, os.W_OK | os.X_OK):
            wrong.append("the spool cannot be written")
        return wrong
