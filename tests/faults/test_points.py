"""A small sample of the kill matrix, and that the matrix knows every durable step of a node at work."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.databases import Database
from tests.faults.__main__ import report
from tests.faults.cell import run_cell
from tests.faults.points import COVERED, POINTS
from tests.postgres import Server

WHOLE_WAY = 20
"""Steps that a node passes at least between its start and the report of a commitment."""


@pytest.fixture(params=["sqlite, N-EVENT-REPORT noted", "postgresql, N-ACTION answered"])
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Database, str]]:
    kind, name = request.param.split(", ")
    (tmp_path / "state").mkdir()
    if kind == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        for database in server.lent("template1"):
            yield database, name
        return
    with closing(Database.at(f"sqlite:///{tmp_path / 'state' / 'sedas-node.sqlite'}")) as database:
        yield database, name


def test_a_killed_node_loses_nothing_doubles_nothing_and_passes_no_step_that_is_no_point(
    sample: tuple[Database, str], tmp_path: Path
) -> None:
    database, name = sample
    [point] = [point for point in POINTS if point.name == name]
    whole_way = replace(point, revised=True, retention=True)
    cell = run_cell(whole_way, database, tmp_path, studies=6)
    assert cell.toll.all == ()
    assert cell.kills >= 1
    assert cell.images == 18
    assert set(cell.steps) <= COVERED
    assert len(cell.steps) >= WHOLE_WAY
    assert {"commit node.recorder:Recorder.revise", "commit node.retention:_delete"} <= set(cell.steps)


def test_points_have_names_of_their_own() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS)


def test_the_table_has_a_row_for_each_point_that_was_tried() -> None:
    cell = {"kills": 3, "studies": 20, "images": 60, "toll": {}}
    none_lost = {"images_lost": [], "results_lost": [], "doubled": ["one"], "audit_faults": []}
    figures = {f"{POINTS[0].name}, {kind}": {**cell, "toll": none_lost} for kind in ("sqlite", "postgresql")}
    rows = [line for line in report(figures).splitlines() if line.startswith(f"| {POINTS[0].name} ")]
    assert [row.split(" | ")[2:] for row in rows] == [["3 + 3", "0 + 0", "0 + 0", "1 + 1", "0 + 0 |"]]
