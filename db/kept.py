"""A connection that is kept while one short transaction follows on another: to take one from the pool, and to make a session for it, takes as long as SQLite's commit."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db.session import DatabaseAway, Sessions, translated

KEPT_S = 1.0  # after a transaction; then it goes through the pool, which asks whether it is still there


class ConnectionLost(DatabaseAway):
    """The server has ended the connection: on a new one it may go, unless what was sent had come to it already."""


class KeptConnection:
    """For one thread at a time, until it is closed."""

    def __init__(self, sessions: Sessions) -> None:
        self._engine: Engine = sessions.kw["bind"]
        self._connection: Connection | None = None
        self._used_at = 0.0

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction, committed when the block ends and rolled back when it raises.

        Raises ConnectionLost, or DatabaseUnusable.
        """
        with translated():
            if time.monotonic() - self._used_at > KEPT_S:
                self.close()
            if self._connection is None:
                self._connection = self._engine.connect()
            try:
                with self._connection.begin():
                    yield self._connection
            except DBAPIError as error:
                if error.connection_invalidated:
                    self.close()
                    raise ConnectionLost("the connection was lost") from error
                raise
            self._used_at = time.monotonic()

    def close(self) -> None:
        """Give the connection back; `begin` takes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
