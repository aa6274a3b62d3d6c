"""A connection that is kept while one short transaction follows on another: to take one from the pool, and to make a session for it, takes as long as SQLite's commit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from db.session import Sessions, translated

KEPT_S = 1.0  # after a transaction; then it goes through the pool, which asks whether it is still there


class KeptConnection:
    """For one thread at a time, until it is closed."""

    def __init__(self, sessions: Sessions) -> None:
        self._engine: Engine = sessions.kw["bind"]
        self._connection: Connection | None = None
        self._used_at = 0.0

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction, committed when the block ends and rolled back when it raises. Raises DatabaseUnusable."""
        with translated():
            if time.monotonic() - self._used_at > KEPT_S:
                self.close()
            if self._connection is None:
                self._connection = self._engine.connect()
            try:
                with self._connection.begin():
                    yield self._connection
            finally:
                self._used_at = time.monotonic()
                if self._connection.invalidated:
                    self.close()

    def close(self) -> None:
        """Give the connection back; `begin` takes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
