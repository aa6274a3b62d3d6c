"""Databases whose audit trail has a key, as those of a running node have, in SQLite and in PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine, make_url, text

from db import audit
from db.chain import Key
from db.session import Sessions, connect, open_database

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("database", ["postgresql"], indirect=True)
"""For tests of what only that database does; ON_SQLITE also where the database is not what may fail, to be quick."""

KEY = Key(bytes(range(32)))
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def password_in(file: Path) -> None:
    file.write_text("for tests\n")
    file.chmod(0o600)


@dataclass(frozen=True)
class Database:
    """Where it is, and everything on it that a test has opened."""

    url: str
    password_file: Path | None
    _opened: list[Engine]

    @classmethod
    def at(cls, url: str, password_file: Path | None = None) -> "Database":
        return cls(url, password_file, [])

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def name(self) -> str:
        return make_url(self.url).database or ""

    def sessions(self) -> Sessions:
        """To look."""
        sessions = open_database(self.url, self.password_file)
        self._opened.append(engine_of(sessions))
        return sessions

    def begun(self) -> Sessions:
        """To write too."""
        sessions = self.sessions()
        audit.begin(sessions, KEY, now=BEGUN)
        return sessions

    def engine(self) -> Engine:
        """Whatever its schema is."""
        engine = connect(self.url, self.password_file)
        self._opened.append(engine)
        return engine

    def empty(self) -> None:
        """Remove every job and what was noted of it, as no program does."""
        with self.engine().begin() as connection:
            for trigger in ("UPDATE", "DELETE"):
                connection.execute(text(drop_trigger(trigger, connection.dialect.name)))
            connection.execute(text("DELETE FROM audit"))
            connection.execute(text("DELETE FROM jobs"))
            connection.execute(text("UPDATE audit_head SET key_name = '', row_id = 0, newest_hmac = ''"))
        self.close()

    def close(self) -> None:
        for engine in self._opened:
            engine.dispose()


def drop_trigger(change: str, dialect: str) -> str:
    """The statement with which somebody who owns the database would begin."""
    table = " ON audit" if dialect == "postgresql" else ""
    return f"DROP TRIGGER IF EXISTS audit_keeps_on_{change}{table}"


def engine_of(sessions: Sessions) -> Engine:
    return cast("Engine", sessions.kw["bind"])


@contextmanager
def opened(url: str, password_file: Path | None = None) -> Iterator[Sessions]:
    database = Database.at(url, password_file)
    try:
        yield database.begun()
    finally:
        database.close()
