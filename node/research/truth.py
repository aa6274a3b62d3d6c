"""`sedas-node truth import`: pathology or follow-up, joined to stored results by the study."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from config.load import load
from db import audit, truths
from db.session import Session, Sessions, translated
from db.truths import Statement
from node import app
from node.config_option import ConfigOption

IMPORTED = "truth imported"
"""The audit event."""

cli = typer.Typer(help="What nodules turned out to be, for `sedas-node validate`.", no_args_is_help=True)


class BadTruthTable(ValueError):
    """A table that is not taken in; the message names rows and columns, and quotes no cell."""


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
    table = _read(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    with translated(), sessions.begin() as session:
        imported = _join(session, table, replace=replace, now=now)
        if imported.new or imported.replaced:
            detail = f"{imported.new} new, {imported.replaced} replaced, table {digest}"
            audit.note(session, None, IMPORTED, now=now, detail=detail)
    return imported


def _read(file: Path) -> dict[int, Statement]:
    """By row."""
    from inference.dataset.delimited import BadTable
    from inference.dataset.table import Diagnosis, read_diagnoses

    def statement(found: Diagnosis) -> Statement:
        return Statement(
            study_instance_uid=found.study_instance_uid,
            label=found.label,
            confirmed_by=found.confirmed_by,
            confirmed_on=found.confirmed_on.isoformat() if found.confirmed_on else None,
            size_mm=found.size_mm,
            lobe=found.lobe or None,
            hard=found.hard,
        )

    try:
        return {found.number: statement(found) for found in read_diagnoses(file)}
    except BadTable as error:
        raise BadTruthTable(f"nothing is taken in: {error}") from error


def _join(session: Session, table: Mapping[int, Statement], *, replace: bool, now: datetime) -> Imported:
    standing = truths.standing(session)
    former = {row: standing.get(said.study_instance_uid) for row, said in table.items()}
    changed = [row for row, truth in former.items() if truth is not None and truths.says(truth) != table[row]]
    if changed and not replace:
        raise BadTruthTable(
            f"nothing is taken in: row {', '.join(map(str, changed))}: the study is known with another statement;"
            " --replace changes it"
        )
    new = [row for row, truth in former.items() if truth is None]
    for row in (*new, *changed):
        truths.state(session, table[row], instead_of=former[row], now=now)
    received, analysed = truths.known_studies(session), truths.studies_with_results(session)
    return Imported(
        new=len(new),
        unchanged=len(former) - len(new) - len(changed),
        replaced=len(changed),
        unknown=_outside(table, received),
        without_result=_outside(table, analysed | (_studies(table) - received)),
    )


def _studies(table: Mapping[int, Statement]) -> set[str]:
    return {said.study_instance_uid for said in table.values()}


def _outside(table: Mapping[int, Statement], studies: Collection[str]) -> tuple[int, ...]:
    return tuple(row for row, said in table.items() if said.study_instance_uid not in studies)
