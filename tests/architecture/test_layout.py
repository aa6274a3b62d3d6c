"""The shape of the project, held by tests."""

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("config", "db", "dicom_out", "inference", "node")
SOURCES = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def test_no_other_distribution_owns_our_import_names() -> None:
    owners = packages_distributions()
    assert {name: set(owners[name]) for name in PACKAGES} == {name: {"sedas-node"} for name in PACKAGES}


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name == "__init__.py"], ids=str)
def test_a_package_file_holds_a_docstring_and_nothing_else(path: Path) -> None:
    (only,) = ast.parse(path.read_text()).body
    assert isinstance(only, ast.Expr)
    assert isinstance(only.value, ast.Constant)


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_every_module_begins_with_what_is_in_it(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_nothing_is_called_after_nothing() -> None:
    names = {path.stem for path in SOURCES}
    assert not names & {"utils", "helpers", "common", "misc", "base"}


def test_the_service_loads_no_torch() -> None:
    code = "import sys, node.__main__, node.app, node.demo, node.worker; print('torch' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
