"""Every command of docs/operations.md, run as it stands there against a running node; and its alerts, which name what is."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tests.nodes import Node, recording_pacs, running_node, write_config
from tests.peers import FOREIGN_PATH, OWN_BIN, require

TEXT = (ROOT / "docs" / "operations.md").read_text()
COMMANDS = [
    c for b in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) for c in b.splitlines()
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    with recording_pacs() as pacs, running_node(write_config(folder, pacs.port)) as node:
        yield node


def _run(command: str, node: Node, folder: Path) -> str:
    if command.startswith("curl "):
        require("curl")
    ran = subprocess.run(
        ["sh", "-c", command.replace("11180", str(_http_port(node)))],
        cwd=folder,
        env=os.environ
        | {"PATH": f"{FOREIGN_PATH}:{OWN_BIN}", "SEDAS_NODE_CONFIG": str(node.config)}
        | {"SEDAS_NODE_LISTENER__PORT": str(node.port)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def _http_port(node: Node) -> int:
    lines = map(json.loads, node.log.read_text().splitlines())
    return next(int(line["port"]) for line in lines if line["event"] == "answering over HTTP")


@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_a_command_succeeds(command: str, node: Node, tmp_path: Path) -> None:
    _run(command, node, tmp_path)


def test_an_alert_names_metrics_that_are_there(node: Node, tmp_path: Path) -> None:
    text = _run("curl -fsS http://127.0.0.1:11180/metrics", node, tmp_path)
    known = {f.name for f in text_string_to_metric_families(text)}
    named = {name.removesuffix("_total") for name in re.findall(r"sedas_node_[a-z_]+", TEXT)}
    assert named - known == {
        "sedas_node_audit_rows_not_exported",  # where a repository is configured
        "sedas_node_candidate_failures",  # where a candidate is configured
    }


def test_every_alert_is_explained() -> None:
    alerts = re.findall(r"alert: SedasNode(\w+)", TEXT)
    assert alerts == re.findall(r"^\| ([A-Z]\w+) \| ", TEXT, re.MULTILINE)
