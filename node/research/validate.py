"""`sedas-node validate`: the report of a model on this site's own cases, from stored results and imported truth."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from config.load import load
from node import app
from node.config_option import ConfigOption
from node.research.selection import Asked, Policy


def validate(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For report.html, report.json and figures/.")],
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Studies received from this day on, in UTC."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Studies received up to the end of this day."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="Its first digits, where there are several models.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="A second model: how far the two agree.")
    ] = None,
    policy: Annotated[
        Policy, typer.Option(help="Whose results count, by how the slices were found.")
    ] = Policy.ANNOTATED,
    subgroup: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Such as sex=F or size_mm=..30; all that are given must hold."
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write the evaluation report of a model on studies whose truth is known."""
    from inference.evaluation.report import write_report  # loads matplotlib and jinja2
    from node.research.validation import source_of  # loads scipy

    asked = Asked(
        since=_start(since),
        until=None if until is None else _start(until + timedelta(days=1)),
        model=model,
        against=against,
        policy=policy,
        subgroup=tuple(subgroup or ()),
    )
    settings = load(config)
    source = source_of(app.open_to_look(settings), settings, asked)
    write_report(source, out)
    screen = Console(highlight=False, markup=False, soft_wrap=True)
    if source.flow is not None:
        screen.print(f"{source.flow.screened} studies received, {len(source.subjects)} included")
        for excluded in source.flow.excluded:
            screen.print(f"  {excluded.patients} {excluded.reason}")
    screen.print(f"report in {out}")


def _start(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)
