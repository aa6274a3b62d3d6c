"""A small sample of the kill matrix, and that the matrix knows every durable step of a node at work."""

from pathlib import Path

import pytest

from tests.databases import Database
from tests.faults.cell import Cell, run_cell
from tests.faults.points import COVERED, POINTS, Point

STORED = "result stored"
REPORTED = "N-EVENT-REPORT noted"


def _cell(name: str, folder: Path, database: Database) -> Cell:
    [point] = [point for point in POINTS if point.name == name]
    (folder / "state").mkdir(exist_ok=True)
    return run_cell(point, database, folder, studies=4)


@pytest.mark.parametrize("name", [STORED, REPORTED])
def test_a_node_that_is_killed_loses_nothing_and_sends_nothing_twice(
    name: str, tmp_path: Path, empty_database: Database
) -> None:
    cell = _cell(name, tmp_path, empty_database)
    assert cell.toll.all == ()
    assert cell.kills >= 1
    assert cell.images == 12


def test_every_durable_step_of_a_node_at_work_is_a_point(tmp_path: Path) -> None:
    untouched = Point("none", "none", "nothing", passings=(), commitment=True, analysis_s=0.9)
    (tmp_path / "state").mkdir()
    database = Database.at(f"sqlite:///{tmp_path / 'state' / 'sedas-node.sqlite'}")
    cell = run_cell(untouched, database, tmp_path, studies=3)
    assert cell.toll.all == ()
    assert set(cell.steps) <= COVERED
    assert len(cell.steps) > 20, "the run passed too little to say anything"


def test_points_have_names_of_their_own() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS)
