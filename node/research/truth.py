"""`sedas-node truth import`: pathology or follow-up, joined to stored results by the study."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from config.load import load
from db import audit, truths
from db.session import Session, Sessions, translated
from node import app
from node.config_option import ConfigOption
from node.research.truth_table import BadTruthTable, TruthTable, read_truth_table

IMPORTED = "truth imported"
"""The audit event."""

cli = typer.Typer(help="What nodules turned out to be, for `sedas-node validate`.", no_args_is_help=True)


@dataclass(frozen=True)
class Imported:
    """What became of a table, by row where a person may want to look."""

    new: int
    unchanged: int
    replaced: int
    unknown: tuple[int, ...]  # rows whose study the node has not received
    without_result: tuple[int, ...]  # rows of a study that has no result yet


@cli.command("import")
def import_truth(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv",
            exists=True,
            dir_okay=False,
            help="Columns study_instance_uid, label (PIMA or IPN); optional confirmed_by, confirmed_on, size_mm, lobe, hard.",
        ),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Change what is known already; the former stays on record.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Take in the truth of studies from a CSV table, all of it or nothing; studies may come later."""
    sessions = app.open_existing(load(config))
    came_of_it = import_table(sessions, file, replace=replace, now=app.now())
    screen = Console(highlight=False, markup=False, soft_wrap=True)
    screen.print(
        f"{came_of_it.new} new, {came_of_it.replaced} replaced, {came_of_it.unchanged} known already"
    )
    _print_rows(screen, came_of_it.unknown, "study not received by this node; kept, it may come later")
    _print_rows(screen, came_of_it.without_result, "study has no result yet")


def _print_rows(screen: Console, rows: Sequence[int], what: str) -> None:
    if rows:
        screen.print(f"row {', '.join(map(str, rows))}: {what}")


def import_table(sessions: Sessions, file: Path, *, replace: bool, now: datetime) -> Imported:
    """In one transaction; raises BadTruthTable with every mistake."""
    table = read_truth_table(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    with translated(), sessions.begin() as session:
        imported = _join(session, table, replace=replace, now=now)
        if imported.new or imported.replaced:
            detail = f"{imported.new} new, {imported.replaced} replaced, table {digest}"
            audit.note(session, None, IMPORTED, now=now, detail=detail)
    return imported


def _join(session: Session, table: TruthTable, *, replace: bool, now: datetime) -> Imported:
    standing = truths.standing(session)
    former = {row: standing.get(said.study_instance_uid) for row, said in table.statements.items()}
    changed = [
        row
        for row, truth in former.items()
        if truth is not None and truths.says(truth) != table.statements[row]
    ]
    _refuse(table.mistakes, () if replace else changed)
    new = [row for row, truth in former.items() if truth is None]
    for row in (*new, *changed):
        truths.state(session, table.statements[row], instead_of=former[row], now=now)
    received, analysed = truths.known_studies(session), truths.studies_with_results(session)
    return Imported(
        new=len(new),
        unchanged=len(former) - len(new) - len(changed),
        replaced=len(changed),
        unknown=_outside(table, received),
        without_result=_outside(table, analysed | (_studies(table) - received)),
    )


def _refuse(mistakes: Sequence[str], changed: Sequence[int]) -> None:
    others = [
        f"row {row}: this study is known with another statement; --replace changes it" for row in changed
    ]
    if every := [*mistakes, *others]:
        raise BadTruthTable("\n  ".join([f"nothing is taken in, {len(every)} mistakes:", *every]))


def _studies(table: TruthTable) -> set[str]:
    return {said.study_instance_uid for said in table.statements.values()}


def _outside(table: TruthTable, studies: Collection[str]) -> tuple[int, ...]:
    return tuple(row for row, said in table.statements.items() if said.study_instance_uid not in studies)
