"""The kill matrix: `make faults` kills the node at every point on both databases and writes the table.

A run that was cut goes on where it stopped; a complete one is done anew.
"""

import argparse
import json
import multiprocessing
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.conftest import BOTH, ROOT
from tests.databases import Database
from tests.faults.cell import Cell, run_cell
from tests.faults.points import POINTS, Point
from tests.faults.section import replace_section
from tests.postgres import Server, server
from tests.statement.document import table

KEPT = ROOT / "docs" / "reliability" / "kills.json"
LOSSES = {
    "images_lost": "images lost", "results_lost": "results lost", "doubled": "objects doubled", "audit_faults": "audit faults",
}  # fmt: skip
Figures = dict[str, dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="cells side by side")
    parser.add_argument("--only", nargs="+", metavar="POINT", help="these points, anew")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False, soft_wrap=True)
    figures: Figures = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    cells = {name_of(point, kind): (point, kind) for point in POINTS for kind in BOTH}
    figures = {name: figures[name] for name in cells if name in figures}
    if options.only:
        figures = {n: f for n, f in figures.items() if cells[n][0].name not in options.only}
    elif len(figures) == len(cells):
        figures = {}
    left = [cells[name] for name in _in_turn(cells) if name not in figures]
    for cell in _run_all(left, options.jobs, screen):
        name = f"{cell.point}, {cell.database}"
        figures[name] = _figures(cell)
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps({n: figures[n] for n in cells if n in figures}, indent=1) + "\n")
        screen.print(f"{name}: {cell.kills} kills, {cell.seconds:.0f} s, {len(cell.toll.all)} faults")
        for fault in cell.toll.all:
            screen.print(f"  {fault}")
    replace_section("kills", report(figures))


def _in_turn(cells: Iterable[str]) -> list[str]:
    """Every point once, on one database or the other, before any point a second time."""
    names = list(cells)
    by_point = list(zip(names[::2], names[1::2], strict=True))
    first = [pair[number % 2] for number, pair in enumerate(by_point)]
    return first + [name for pair in by_point for name in pair if name not in first]


def name_of(point: Point, kind: str) -> str:
    return f"{point.name}, {kind}"


def _run_all(cells: Sequence[tuple[Point, str]], jobs: int, screen: Console) -> Iterator[Cell]:
    with (
        server() as postgres,
        ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as processes,
        ThreadPoolExecutor(jobs) as threads,
    ):

        def run(point: Point, kind: str) -> Cell:
            with (
                tempfile.TemporaryDirectory(prefix="kill-") as folder,
                _database(kind, Path(folder), postgres) as database,
            ):
                return processes.submit(run_cell, point, database, Path(folder)).result()

        running = {threads.submit(run, *cell): cell for cell in cells}
        for done in as_completed(running):
            if error := done.exception():
                point, kind = running[done]
                screen.print(f"{name_of(point, kind)}: no result: {error!r}")
            else:
                yield done.result()


@contextmanager
def _database(kind: str, folder: Path, postgres: Server) -> Iterator[Database]:
    """An empty one."""
    if kind == "postgresql":
        yield from postgres.lent("template1")
        return
    (folder / "state").mkdir()
    with closing(Database.at(f"sqlite:///{folder / 'state' / 'sedas-node.sqlite'}")) as made:
        yield made


def _figures(cell: Cell) -> dict[str, Any]:
    return {name: value for name, value in asdict(cell).items() if name not in ("point", "database", "steps")}


def report(figures: Figures) -> str:
    """The section of the page."""
    rows = []
    for point in POINTS:
        cells = [figures.get(name_of(point, kind)) for kind in BOTH]
        kills = _sum(None if cell is None else cell["kills"] for cell in cells)
        tolls = [_sum(None if cell is None else len(cell["toll"][loss]) for cell in cells) for loss in LOSSES]
        rows.append((point.name, point.durable, kills, *tolls))
    every = figures.values()
    heads = ("killed when this is done", "on disk by then", "kills", *LOSSES.values())
    return f"""\
## Killed at every step

`make faults` starts the node on SQLite and on PostgreSQL, lets three senders send {_least(every, "studies")} studies
in parallel, kills the process that passes the named step (node, receiver or worker) by SIGKILL, has it started again,
kills it again at a later passing, and then lets it finish. Senders send again what got no answer of success; the PACS
counts what it holds by UID and content. {len(figures)} of {len(POINTS) * len(BOTH)} cells, {sum(cell["kills"] for cell in every)}
kills, {sum(cell["images"] for cell in every)} images acknowledged. Each number is that of SQLite + PostgreSQL; -: not run.

{table(heads, rows)}
An acknowledged image is lost when its row or its file with the content that was sent last is not there in the end, or
when the node notes files as lost. Where retention deletes the images of a study seconds after it is over, one is lost
when it went earlier, or when a file of it is left behind. A result is lost when its study has no finished job with
every image, or an object of it is not at the PACS. An object is doubled when one UID came with two contents, came from
no result, or two jobs have results for the same images. The chain of the audit trail is verified in every cell too. The
models are played by a stand-in that always finds the same, so that a cell takes seconds; a study may kill more workers
here than the three after which it is given up by default. Which steps there are is not a matter of memory: a test
traces a run and compares. `docs/reliability/kills.json` has every cell.
"""


def _sum(numbers: Iterable[int | None]) -> str:
    return " + ".join("-" if number is None else str(number) for number in numbers)


def _least(figures: Iterable[Mapping[str, Any]], name: str) -> int:
    return min((cell[name] for cell in figures), default=0)


if __name__ == "__main__":
    main()
