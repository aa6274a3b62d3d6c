"""`sedas-node dataset`: a site's cases as training and evaluation take them."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from config.load import load
from node.logs import start_logging

commands = typer.Typer(help="Datasets for training and evaluation.", no_args_is_help=True)
screen = Console(highlight=False, markup=False, soft_wrap=True)


class DatasetRefused(ValueError):
    """What a site gave makes no dataset; the message says why."""


@commands.command()
def build(  # noqa: PLR0913 - each is an option of the command
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder, or one to go on with.")],
    *,
    table: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="CSV, one row a patient: patient_id, label, and more."
        ),
    ],
    dicom: Annotated[
        list[Path] | None, typer.Option(exists=True, help="A folder of CT and marks; may be given again.")
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="Take what the node has received; it may run.")
    ] = False,
    annotations: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True, help="A folder of marks: DICOM, VOC boxes (UID.xml), LIDC XML or contours.json."
        ),
    ] = None,
    slices: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV of the marked slices: sop_instance_uid, lesion."),
    ] = None,
    agreeing_readers: Annotated[
        int, typer.Option(min=1, help="Of LIDC's, that must hold a pixel for nodule.")
    ] = 2,
    mode: Annotated[
        Literal["inner", "paper"],
        typer.Option(help="An inner part selects; or, as in the paper, the test part: optimistic."),
    ] = "inner",
    seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 0,
    folds: Annotated[int | None, typer.Option(min=2, help="Instead of one split.")] = None,
    by_site: Annotated[bool, typer.Option("--by-site", help="Test each site once.")] = False,
    split_table: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV: patient_id, part (train, selection, test)."),
    ] = None,
    pixel_mm: Annotated[float, typer.Option(min=0.1, max=10.0)] = 0.7,
    size: Annotated[int, typer.Option(min=32, max=2048, help="Rows and columns.")] = 512,
    slice_mm: Annotated[float, typer.Option(min=0.1, max=20.0, help="Thinner ones are averaged.")] = 5.0,
    name: Annotated[str | None, typer.Option(help="Default: that of the folder.")] = None,
    version: Annotated[str, typer.Option()] = "1",
    processes: Annotated[int, typer.Option(min=1, max=64, help="That make cases at once.")] = 1,
    config: Annotated[
        Path | None, typer.Option("--config", help="The node's: segmenter, device, eligibility.")
    ] = None,
) -> None:
    """Make a dataset of CT, marked slices and a table of patients; after a stop, the same again goes on."""
    from inference.bundle import Preprocessing
    from inference.dataset.manifest import Mode
    from inference.dataset.partition import Partition
    from inference.dataset.table import read_parts
    from node.research.building import REFUSALS, Sources, Wanted, build_dataset

    settings = load(config)
    start_logging()
    try:
        parts = read_parts(split_table) if split_table else None
        wanted = Wanted(
            out=out.resolve(),
            table=table,
            sources=Sources((*(dicom or ()), *(annotations or ())), slices, store),
            name=name or out.resolve().name,
            version=version,
            partition=Partition(seed, Mode(mode), folds, by_site, parts),
            numbers=Preprocessing(slice_thickness_mm=slice_mm, pixel_mm=pixel_mm, size=size),
            agreeing_readers=agreeing_readers,
            processes=processes,
        )
        build_dataset(wanted, settings, screen)
    except REFUSALS as error:
        raise DatasetRefused(str(error)) from error


@commands.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `dataset build` made.")],
) -> None:
    """Check that a dataset is whole and leaks nothing, and print its numbers; exit code 1 if not."""
    from node.research.building import REFUSALS, check_dataset

    start_logging()
    try:
        check_dataset(folder, screen)
    except REFUSALS as error:
        typer.echo(f"sedas-node: {error}", err=True)
        raise typer.Exit(1) from None
