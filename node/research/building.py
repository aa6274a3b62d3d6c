"""What `sedas-node dataset` does. Loads torch: the command imports it when it runs."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, track

from config.settings import Inference, Settings
from db.instances import on_disk
from db.session import only_read
from inference.analyse import Segmenter
from inference.bundle import Preprocessing
from inference.dataset.build import Built, Found, build
from inference.dataset.confounding import confounded
from inference.dataset.delimited import BadTable
from inference.dataset.folder import BadDataset, open_dataset
from inference.dataset.leaks import check
from inference.dataset.linkage import beside
from inference.dataset.making import BuildStopped
from inference.dataset.manifest import Manifest
from inference.dataset.marks import Rules
from inference.dataset.order import Order, Recipe
from inference.dataset.partition import Partition
from inference.dataset.rules import Inclusion, screened
from inference.dataset.split import CannotSplit
from inference.dataset.table import Row, read_slices, read_table
from node import app
from node.research.choosing import images_of
from node.research.studies import Studies, files_in, read_studies

REFUSALS = (BadDataset, BadTable, CannotSplit)
"""What a site can mend in what it gave."""

_SHOWN = 20  # patients that are left out, on the screen; the list beside the dataset has all


@dataclass(frozen=True)
class Sources:
    """Where a site keeps images and marks."""

    folders: tuple[Path, ...] = ()
    slice_list: Path | None = None
    store: bool = False  # of the node that the settings are of


@dataclass(frozen=True)
class Wanted:
    """What is asked for on the command line."""

    out: Path
    table: Path
    sources: Sources
    name: str
    version: str
    partition: Partition
    numbers: Preprocessing
    agreeing_readers: int
    processes: int


@dataclass(frozen=True)
class MakeSegmenter:
    """The segmenter of a configuration, in whatever process it is called."""

    rules: Inference

    def __call__(self) -> Segmenter:
        return app.segmenter(self.rules)


def build_dataset(wanted: Wanted, settings: Settings, screen: Console) -> None:
    """Split, find, make, check, write; and say what came of it."""
    rows = read_table(wanted.table)
    excluded = screened(rows, Inclusion())
    kept = [row for row in rows if row.patient_id not in excluded]
    order = _order(wanted, settings, kept)
    try:
        studies = _studies(wanted, settings, screen)
        found = _found(kept, studies, settings, order.recipe.numbers, screen)
    except OSError as error:  # whose own message names the file
        raise BuildStopped(
            f"a file cannot be read: {error.strerror}; the same command begins again"
        ) from None
    built = _built(order, rows, found, wanted.processes, screen)
    _print_doubts(built, wanted.out, screen)
    print_dataset(built.manifest, screen)
    screen.print(f"{wanted.out}: look at card.md and sheets; {_linkage(wanted.out)} stays at the site")


def check_dataset(folder: Path, screen: Console) -> None:
    """Raises BadDataset for what is damaged, or leaks."""
    dataset = open_dataset(folder)
    dataset.verify()
    check(dataset.manifest)
    print_dataset(dataset.manifest, screen)
    screen.print(f"whole, and no leak was found; sha256 of dataset.json {dataset.digest}")


def print_dataset(manifest: Manifest, screen: Console) -> None:
    slices = {case.name: len(case.slice_sha256) for case in manifest.cases}
    positive = {case.name for case in manifest.cases if case.positive}
    screen.print(
        f"{manifest.name} {manifest.version}: {len(slices)} patients"
        f" ({len(positive)} PIMA, {len(slices) - len(positive)} IPN), {sum(slices.values())} slices"
    )
    for split in manifest.splits:
        for part in ("train", "selection", "test"):
            names = getattr(split, part)
            screen.print(
                f"  {split.name} {part}: {len(names)} patients, {len(positive & set(names))} of them PIMA,"
                f" {sum(slices[name] for name in names)} slices"
            )
    for warning in confounded(manifest):
        screen.print(f"warning: {warning}")


def _order(wanted: Wanted, settings: Settings, kept: Sequence[Row]) -> Order:
    """With the split: made from the table alone, before anything else is looked at."""
    rules = settings.inference
    return Order(
        out=wanted.out,
        name=wanted.name,
        version=wanted.version,
        table_sha256=hashlib.sha256(wanted.table.read_bytes()).hexdigest(),
        splits=wanted.partition.split(kept),
        split_by=wanted.partition.words,
        recipe=Recipe(
            numbers=wanted.numbers,
            rules=Rules(agreeing=wanted.agreeing_readers, algorithms=rules.algorithm_annotations),
            minimum_lung_ml=rules.minimum_lung_ml,
            make_segmenter=MakeSegmenter(rules),
            software=f"sedas-node {version('sedas-node')}",
        ),
    )


def _studies(wanted: Wanted, settings: Settings, screen: Console) -> Studies:
    sources = wanted.sources
    files = files_in(sources.folders) + (_stored(settings) if sources.store else [])
    listed = read_slices(sources.slice_list) if sources.slice_list else ()
    with _progress(screen) as progress:
        task = progress.add_task("Reading headers", total=len(files))
        studies = read_studies(
            files, listed, processes=wanted.processes, on_read=lambda n: progress.advance(task, n)
        )
    for reason, count in studies.unread.items():
        screen.print(f"{count} files of marks were not read: {reason}")
    return studies


def _stored(settings: Settings) -> list[Path]:
    """What the node has on its disk; it may run meanwhile."""
    with app.open_to_look(settings)() as session:
        only_read(session)
        return [settings.storage.spool / path for path in on_disk(session)]


def _found(
    rows: Sequence[Row], studies: Studies, settings: Settings, numbers: Preprocessing, screen: Console
) -> dict[str, Found]:
    tracked = track(rows, "Choosing series", console=screen, transient=True, disable=not screen.is_terminal)
    thickness_mm = numbers.slice_thickness_mm
    return {
        row.patient_id: images_of(row, studies, settings, model_thickness_mm=thickness_mm) for row in tracked
    }


def _built(
    order: Order, rows: Sequence[Row], found: dict[str, Found], processes: int, screen: Console
) -> Built:
    with _progress(screen) as progress:
        task = progress.add_task("Making cases", total=len(found))
        return build(order, rows, found, processes=processes, on_case=lambda _outcome: progress.advance(task))


def _print_doubts(built: Built, out: Path, screen: Console) -> None:
    for one in built.left_out[:_SHOWN]:
        detail = f" ({one.detail})" if one.detail else ""
        screen.print(f"row {one.row} is left out: {one.reason}{detail}")
    if built.left_out:
        screen.print(
            f"{len(built.left_out)} patients are left out, all in {beside(out, 'excluded.csv').name}"
        )
    for doubt in built.doubts:
        screen.print(f"warning: {doubt}, row {', '.join(map(str, doubt.rows))}")


def _progress(screen: Console) -> Progress:
    """A log gets none: it has no line to write over."""
    return Progress(console=screen, transient=True, disable=not screen.is_terminal)


def _linkage(out: Path) -> str:
    return beside(out, "linkage.csv").name
