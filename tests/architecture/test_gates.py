"""Each gate can fail: an error is planted in a copy, and the gate must see it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

BIN = Path(sys.executable).parent
CODE = ("config", "db", "dicom_out", "inference", "node")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and the configuration of the gates."""
    for name in CODE:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "bundles"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    program, *arguments = command
    return subprocess.run(
        [str(BIN / program), *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_formatter_sees_bad_form(copy: Path) -> None:
    (copy / "config" / "planted.py").write_text("x   =  {  1:2}\n")
    assert "config/planted.py" in _run(copy, "ruff", "format", "--check", ".").stdout


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import os\n", "F401"),
        ("def f(x=[]):\n    return x\n", "B006"),
        ("print('x')\n", "T201"),
        ("try:\n    f()\nexcept Exception:\n    pass\n", "BLE001"),
        ("eval('1')\n", "S307"),
        ("import pickle\n\npickle.loads(b'')\n", "S301"),
    ],
)
def test_the_linter_sees_a_mistake(copy: Path, code: str, rule: str) -> None:
    (copy / "config" / "planted.py").write_text(f'"""Planted."""\n\n{code}')
    assert rule in _run(copy, "ruff", "check", "config").stdout


def test_the_type_checker_sees_a_wrong_type(copy: Path) -> None:
    (copy / "config" / "planted.py").write_text('"""Planted."""\n\nx: int = "one"\n')
    checked = _run(copy, "mypy", "config/planted.py")
    assert "Incompatible types in assignment" in checked.stdout
    assert checked.returncode == 1


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("config/settings.py", "import node.status", "One direction"),
        ("dicom_out/codes.py", "import inference.volume", "dicom_out knows of inference only"),
        ("node/release.py", "import inference.training", "never imports the training"),
        ("inference/findings.py", "import pydicom", "Findings are plain values"),
        ("node/release.py", "import pynetdicom", "The network is met in five files"),
        ("node/release.py", "import sqlalchemy", "SQL stays in db"),
        ("inference/findings.py", "import highdicom", "highdicom stays"),
        ("dicom_out/render.py", "import pydicom", "What is drawn into a picture"),
        ("node/release.py", "import apscheduler", "The clock is one file"),
    ],
)
def test_the_import_contracts_see_a_wrong_import(copy: Path, file: str, line: str, contract: str) -> None:
    path = copy / file
    path.write_text(f"{path.read_text()}\n{line}\n")
    checked = _run(copy, "lint-imports", "--no-cache")
    broken = [text for text in checked.stdout.splitlines() if "BROKEN" in text]
    assert any(contract in text for text in broken), checked.stdout
    assert checked.returncode == 1


def test_the_tests_turn_a_warning_into_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_planted.py").write_text(
        "import warnings\ndef test_it():\n    warnings.warn('planted')\n"
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    tested = _run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "test_planted.py")
    assert "UserWarning: planted" in tested.stdout
    assert tested.returncode == 1
