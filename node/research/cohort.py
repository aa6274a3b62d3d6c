"""`sedas-node cohort`: patients from nothing."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from node.research.cohort_folder import Asked, claimed

commands = typer.Typer(no_args_is_help=True)
screen = Console(highlight=False, markup=False, soft_wrap=True)


@commands.callback()
def cohort() -> None:
    """Cohorts of patients who are drawn, not real."""


@commands.command()
def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder, or one to go on with.")],
    patients: Annotated[
        int, typer.Option(min=2, help="As many PIMA to IPN, and so on, as in the paper.")
    ] = 443,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other patients.")] = 0,
    pixels: Annotated[int, typer.Option(min=64, max=1024, help="Rows and columns of the same field.")] = 512,
    screened: Annotated[
        int | None, typer.Option(help="With those that were screened and left out. Default: none were.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="That draw at once. Default: one a core.")
    ] = None,
) -> None:
    """Draw a cohort in the paper's proportions: CT as DICOM, marked slices, patient table and truth.

    All 443 patients at 512 pixels are 14 GB; half the pixels are a quarter.
    """
    from rich.progress import track

    from inference.synthetic.plan import plan
    from node.research.cohort_drawing import draw, mark  # loads SimpleITK
    from node.research.cohort_tables import write_tables

    if screened is not None and screened < patients:
        raise typer.BadParameter(f"{screened} screened, expected at least the {patients} patients")
    asked = Asked(patients, screened or patients, seed, pixels)
    folder = claimed(out, asked)
    planned = plan(patients, seed=seed, screened=asked.screened)
    with folder.held():
        missing = sum(not folder.is_drawn(patient.patient_id) for patient in planned.patients)
        drawn = draw(planned, folder, pixels=pixels, processes=processes or os.cpu_count() or 1)
        for _ in track(drawn, "Drawing", total=missing, console=screen):
            pass
        marked = list(track(mark(planned, folder), "Marking", total=patients, console=screen))
        write_tables(planned, marked, folder, asked)
    slices = sum(len(patient.slices) for patient in marked)
    screen.print(f"{out}: {patients} patients, {missing} of them drawn now, {slices} marked slices")
