"""Opening the database: durable SQLite or PostgreSQL, at the newest schema."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, orm, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from db.chain import Key
from db.models import AuditEvent, Installation


class Session(orm.Session):
    """One transaction with the node's database, and what it has noted for the audit trail."""

    def __init__(self, *arguments: Any, audit_key: Key | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.audit_key = audit_key
        self.noted: list[AuditEvent] = []


Sessions = orm.sessionmaker[Session]


class DatabaseUnusable(Exception):
    """The database cannot do it now; the message is the driver's, without the URL, its password and values."""


@contextmanager
def translated() -> Iterator[None]:
    """What the driver, SQLAlchemy or Alembic raise, as DatabaseUnusable."""
    try:
        yield
    except (SQLAlchemyError, CommandError, ImportError) as error:
        raise DatabaseUnusable(str(getattr(error, "orig", None) or error)) from error


_MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(url: str) -> Sessions:
    """Sessions on the database at `url`, brought to the newest schema first; `db.audit.begin` lets them write."""
    with translated():
        engine = connect(url)
        migrate(engine)
        sessions = orm.sessionmaker(engine, class_=Session, expire_on_commit=False)
        _name_installation(sessions)
    return sessions


def connect(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True, max_overflow=-1, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _make_sqlite_durable)
        event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("only_reads", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def only_read(session: Session) -> None:
    """Let this transaction, which has not begun, keep no writer waiting; it sees the database as it is now."""
    session.connection(execution_options={"only_reads": True})


def migrate(engine: Engine, revision: str = "head") -> None:
    with engine.connect() as connection, _loose_foreign_keys(connection), connection.begin():
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        _check_foreign_keys(connection)


@contextmanager
def _loose_foreign_keys(connection: Connection) -> Iterator[None]:
    """SQLite alters a table by copying it, and drops the former one, which other tables refer to."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection
    driver.execute("PRAGMA foreign_keys = OFF")  # outside a transaction: inside one it would do nothing
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name == "sqlite" and (
        torn := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    ):
        raise DatabaseUnusable(f"{len(torn)} rows refer to rows that are not there, first in {torn[0][0]}")


def installation_id(session: Session) -> str:
    """The UUID of this installation, drawn once when its database was made."""
    return session.scalars(select(Installation.uuid)).one()


def _name_installation(sessions: Sessions) -> None:
    with sessions.begin() as session:
        if session.get(Installation, 1) is None:
            session.add(Installation(id=1, uuid=str(uuid4())))


def _make_sqlite_durable(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    """WAL lets readers and one writer work side by side; FULL makes a commit survive a power cut."""
    connection.isolation_level = None  # the "begin" listener begins, so that a writer waits for its turn
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
