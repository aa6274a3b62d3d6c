"""Every command of the README, run as it stands there against a running node."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.nodes import Node, recording_pacs, running_node, write_config
from tests.peers import FOREIGN_PATH, OWN_BIN, require

BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
GATES = "ruff format --check . && ruff check . && mypy && lint-imports && pytest -n auto"
RUN = "sedas-node run --with-worker"
TALKING = [c for c in COMMANDS if not c.startswith("make ") and c not in (GATES, RUN)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """What the README's `sedas-node run --with-worker` starts."""
    with recording_pacs() as pacs:
        config = write_config(tmp_path_factory.mktemp("node"), pacs.port)
        with running_node(config) as node:
            yield node


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, phantom_study: list[Path]) -> Path:
    """A folder with `chest-ct` in it."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(phantom_study[0].parent, folder / "chest-ct")
    return folder


@pytest.mark.parametrize("command", TALKING)
def test_a_command_of_the_readme_succeeds(command: str, node: Node, place: Path) -> None:
    for program in ("echoscu", "storescu"):
        if program in command.split():
            require(program)
    search = f"{FOREIGN_PATH}:{OWN_BIN}"
    ran = subprocess.run(
        ["sh", "-c", command.replace("11112", str(node.port))],
        cwd=place,
        env=os.environ | {"PATH": search, "SEDAS_NODE_CONFIG": str(node.config)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_what_the_readme_sent_was_analysed_once(node: Node) -> None:
    (job,) = node.settled()
    assert job["state"] == "DONE"


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_the_makefile_knows_what_the_readme_makes(command: str) -> None:
    subprocess.run([*command.split(), "-n"], cwd=ROOT, check=True, capture_output=True)


def test_the_readme_names_the_run_command_and_the_gates_as_they_are_called() -> None:
    assert {RUN, GATES} <= set(COMMANDS)
    for caller in ("Makefile", ".pre-commit-config.yaml"):
        assert GATES.removesuffix(" && pytest -n auto") in (ROOT / caller).read_text()
