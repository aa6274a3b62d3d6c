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
from sqlalchemy import Connection, Engine, create_engine, event, insert, make_url, orm, select, text
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
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


class DatabaseAway(DatabaseUnusable):
    """It cannot be reached, or has no room, no connection or no turn for us: the same may succeed later."""


@contextmanager
def translated() -> Iterator[None]:
    """What the driver, SQLAlchemy or Alembic raise, as DatabaseUnusable."""
    try:
        yield
    except (OperationalError, InterfaceError, NoConnection) as error:
        raise DatabaseAway(_in_words(error)) from error
    except (SQLAlchemyError, CommandError, ImportError) as error:
        raise DatabaseUnusable(_in_words(error)) from error


def _in_words(error: Exception) -> str:
    """On one line, and of a PostgreSQL server's message only the first: the others quote the row."""
    cause = getattr(error, "orig", None) or error
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    return " ".join(str(primary or cause).split())


_MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(url: str, password_file: Path | None = None) -> Sessions:
    """Sessions on the database at `url`, brought to the newest schema first; `db.audit.begin` lets them write.

    Raises OSError for a password file that cannot be read.
    """
    with translated():
        engine = connect(url, password_file)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
    return orm.sessionmaker(engine, class_=Session, expire_on_commit=False)


def close_database(sessions: Sessions) -> None:
    """Give its connections back; sessions that are opened afterwards open new ones."""
    sessions.kw["bind"].dispose()


PATIENCE_S = 30
"""How long a statement waits for its turn, in both databases."""

_POSTGRESQL = {
    "application_name": "sedas-node",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "options": f"-c lock_timeout={PATIENCE_S}s",
}
"""libpq's, so that a server that is gone without a word is noticed; what the URL says stands above it."""


def connect(url: str, password_file: Path | None = None) -> Engine:
    target = make_url(url)
    arguments: dict[str, Any] = {}
    isolation = None
    if target.get_backend_name() == "postgresql":
        target, isolation = target.set(drivername="postgresql+psycopg"), "READ COMMITTED"
        arguments = {key: value for key, value in _POSTGRESQL.items() if key not in target.query}
        if password_file is not None:
            arguments["password"] = password_file.read_text(encoding="utf-8").strip()
    engine = create_engine(
        target,
        pool_pre_ping=True,
        max_overflow=-1,
        hide_parameters=True,
        connect_args=arguments,
        isolation_level=isolation,
    )
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
    """Bring the schema to that revision, one process at a time, and at the newest give the installation its name."""
    with engine.connect() as connection, _loose_foreign_keys(connection), connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        _check_foreign_keys(connection)
        if revision == "head":
            _name_installation(connection)


_MIGRATING = 5363  # any number that no other program locks in this database


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


def _name_installation(connection: Connection) -> None:
    if connection.execute(select(Installation.id)).first() is None:
        connection.execute(insert(Installation).values(id=1, uuid=str(uuid4())))


def _make_sqlite_durable(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    """WAL lets readers and one writer work side by side; FULL makes a commit survive a power cut."""
    connection.isolation_level = None  # the "begin" listener begins, so that a writer waits for its turn
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE_S * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
