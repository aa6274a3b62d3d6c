"""What the README says is so: its diagram, its table, its commands."""

import re

import pytest

from db.states import TRANSITIONS, State
from node.status import StoreStatus
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_the_diagram_is_the_table_of_states() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+): (.+)$", README, re.MULTILINE)
    assert sorted(drawn) == sorted((a.value, b.value, event.value) for (a, event), b in TRANSITIONS.items())
    assert f"[*] --> {State.RECEIVING}" in README


@pytest.mark.parametrize("status", StoreStatus)
def test_every_status_is_explained(status: StoreStatus) -> None:
    assert f"| {status:04X} |" in README


def test_the_files_it_names_are_there() -> None:
    named = re.findall(r"`([\w/]+\.(?:py|md|toml))`", README) + re.findall(r"\]\(([\w/.]+)\)", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
