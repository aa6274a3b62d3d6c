"""What many tests need: a database, settings, an instant, and the real CT beside the checkout."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.settings import Settings
from db.session import Sessions
from inference.phantom import LesionKind, chest, write_study
from tests.databases import Database, opened
from tests.held import analyse_and_hold
from tests.models import QUICK, next_version
from tests.postgres import Server, server

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # share the cores, in the programs they start too
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // int(workers)))

ROOT = Path(__file__).parent.parent


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with server() as made:
        yield made


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database of the newest schema to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "template.sqlite"
    with opened(f"sqlite:///{file}"):
        pass
    return file


BOTH = ("sqlite", "postgresql")


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """One of each kind, of the newest schema, for this test alone."""
    if request.param == "postgresql":
        yield from request.getfixturevalue("postgres").lent()
        return
    file = shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path / "test.sqlite")
    with closing(Database.at(f"sqlite:///{file}")) as made:
        yield made


@pytest.fixture(params=BOTH)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """One of each kind, without a table."""
    if request.param == "postgresql":
        yield from request.getfixturevalue("postgres").lent("template1")
        return
    with closing(Database.at(f"sqlite:///{tmp_path / 'test.sqlite'}")) as made:
        yield made


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return database.begun()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a node below `tmp_path` that takes images from PACS and sends to nobody."""
    return Settings.model_validate(
        {
            "listener": {"host": "127.0.0.1", "port": 0, "processes": 1, "calling_ae_titles": ["PACS"]},
            "storage": {"folder": tmp_path / "node"},
            "completion": {"quiet_period_s": 1.0},
            "inference": QUICK.model_dump(),
            "retention": {"minimum_free_bytes": 0},
            "http": {"port": 0},
        }
    )


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real CT and awkward DICOM; not part of the project."""
    folder = Path(os.environ.get("SEDAS_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real CT is not beside the checkout; SEDAS_REAL_DATA may name its folder")
    return folder


@pytest.fixture(scope="session")
def phantom_study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A chest with a lesion, as DICOM, in full size."""
    return write_study(chest(seed=7, lesion=LesionKind.PIMA_LIKE), tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="session")
def next_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration model once more, as a bundle of another version and digest."""
    return next_version(tmp_path_factory.mktemp("bundles") / "next")


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a node that holds one result; `tests.held` copies it."""
    folder = tmp_path_factory.mktemp("held") / "node"
    analyse_and_hold(folder)
    return folder
