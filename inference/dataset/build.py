"""A dataset folder from a table, images and marks. Start at `build`.

The order matters: the split first, then the plan, then the cases one by one, and `dataset.json` last, once it is known
to leak nothing. A build that was killed goes on with what is not there yet.
"""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from inference.dataset.alone import alone
from inference.dataset.assembly import Made, assemble, named
from inference.dataset.card import card
from inference.dataset.case_folder import SHEETS, Record
from inference.dataset.doubts import Doubt, doubts
from inference.dataset.folder import CASES, BadDataset
from inference.dataset.leaks import check
from inference.dataset.linkage import CASE, beside, names, read_linkage, write_linkage, write_rows
from inference.dataset.making import Outcome, Task, made_once, make_all
from inference.dataset.manifest import MANIFEST, Manifest
from inference.dataset.order import Order
from inference.dataset.plan import PLAN, Input, Plan, begin
from inference.dataset.rules import not_asked, screened
from inference.dataset.sources import Images, Missing, Reason, acquisition
from inference.dataset.split import renamed
from inference.dataset.table import Row
from inference.evaluation.flow_chart import flow_svg
from inference.findings import AlgorithmIdentity

Found = Images | Missing
OnCase = Callable[[Outcome], None]


class NoCases(BadDataset):
    """No patient of the table came to a case."""


@dataclass(frozen=True)
class LeftOut:
    """A patient that is no case, for the site's own eyes."""

    patient_id: str = field(repr=False)
    row: int  # of the table
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Built:
    manifest: Manifest
    left_out: tuple[LeftOut, ...]
    doubts: tuple[Doubt, ...]


def build(
    order: Order,
    rows: Sequence[Row],
    found: Mapping[str, Found],
    *,
    processes: int = 1,
    on_case: OnCase = lambda _outcome: None,
) -> Built:
    """`found` is by patient id, of every row that the table's own rules leave. Raises BadDataset; a leak is one."""
    excluded = screened(rows, order.inclusion)
    linked = read_linkage(beside(order.out, "linkage.csv"))  # a case keeps its name from version to version
    cases = names(
        [r.patient_id for r in rows if r.patient_id not in excluded], linked, key=order.table_sha256
    )
    if not any(isinstance(one, Images) for one in found.values()):
        _list(order.out, tuple(_left_out(rows, excluded, found)))
        raise _nobody(order, rows)
    segmenter = made_once(order.recipe.make_segmenter).identity
    begin(order.out, _plan(order, cases, found, segmenter))
    with alone(beside(order.out, PLAN)):
        write_linkage(beside(order.out, "linkage.csv"), {**linked, **cases})
        outcomes = {**found, **_outcomes(order, cases, found, processes, on_case)}
        left_out = tuple(_left_out(rows, excluded, outcomes))
        _list(order.out, left_out)
        made = tuple(_made(rows, cases, found, outcomes))
        if not made:
            raise _nobody(order, rows)
        manifest = assemble(order, rows, made, {one.patient_id: one.reason for one in left_out}, segmenter)
        check(manifest)
        odd = tuple(doubts(made))
        _publish(order.out, manifest, (*not_asked(rows), *map(str, odd)))
    return Built(manifest, left_out, odd)


def _nobody(order: Order, rows: Sequence[Row]) -> NoCases:
    return NoCases(f"none of {len(rows)} patients is a case; {order.out.name}.excluded.csv says why")


def _plan(
    order: Order, cases: Mapping[str, str], found: Mapping[str, Found], segmenter: AlgorithmIdentity
) -> Plan:
    return Plan(
        name=order.name,
        version=order.version,
        software=order.recipe.software,
        split_by=order.split_by,
        splits=tuple(renamed(split, cases) for split in order.splits),
        table=order.table_sha256,
        preprocessing=order.recipe.numbers,
        segmenter=named(segmenter),
        minimum_lung_ml=order.recipe.minimum_lung_ml,
        agreeing_readers=order.recipe.rules.agreeing,
        algorithm_annotations=order.recipe.rules.algorithms,
        inputs=tuple(
            Input(case=case, sha256=_sha256_of(found[patient]))
            for patient, case in sorted(cases.items(), key=itemgetter(1))
        ),
    )


def _sha256_of(found: Found) -> str:
    if isinstance(found, Images):
        return found.sha256
    return hashlib.sha256(f"{found.reason} {found.detail}".encode()).hexdigest()


def _outcomes(
    order: Order, cases: Mapping[str, str], found: Mapping[str, Found], processes: int, on_case: OnCase
) -> dict[str, Outcome]:
    """By patient id, of those that have images."""
    patients = {case: patient for patient, case in cases.items()}
    tasks = [
        Task(order.out, case, images, order.recipe)
        for case, patient in sorted(patients.items())
        if isinstance(images := found[patient], Images)
    ]
    outcomes: dict[str, Outcome] = {}
    for case, outcome in make_all(tasks, processes=processes):
        outcomes[patients[case]] = outcome
        on_case(outcome)
    return outcomes


def _left_out(
    rows: Sequence[Row], excluded: Mapping[str, str], outcomes: Mapping[str, Found | Outcome]
) -> Iterator[LeftOut]:
    """In the order in which the reasons were asked."""
    numbers = {row.patient_id: row.number for row in rows}
    for patient, reason in excluded.items():
        yield LeftOut(patient, numbers[patient], reason)
    for reason in Reason:
        for row in rows:
            outcome = outcomes.get(row.patient_id)
            if isinstance(outcome, Missing) and outcome.reason is reason:
                yield LeftOut(row.patient_id, row.number, reason.value, outcome.detail)


def _list(out: Path, left_out: Sequence[LeftOut]) -> None:
    lines = [(one.row, one.reason, one.detail) for one in left_out]
    write_rows(beside(out, "excluded.csv"), ("row", "reason", "detail"), lines)


def _made(
    rows: Sequence[Row],
    cases: Mapping[str, str],
    found: Mapping[str, Found],
    outcomes: Mapping[str, Found | Outcome],
) -> Iterator[Made]:
    for row in rows:
        images, record = found.get(row.patient_id), outcomes.get(row.patient_id)
        if isinstance(images, Images) and isinstance(record, Record):
            yield Made(cases[row.patient_id], row, acquisition(images.slices[0]), record)


def _publish(out: Path, manifest: Manifest, remarks: Sequence[str]) -> None:
    """`dataset.json` last: without it a folder is no dataset."""
    _remove_others(out, {case.name for case in manifest.cases})
    (out / "card.md").write_text(card(manifest, remarks), encoding="utf-8")
    (out / "flow.svg").write_text(flow_svg(manifest.flow), encoding="utf-8")
    partial = out / f".{MANIFEST}"
    partial.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(out / MANIFEST)


def _remove_others(out: Path, names: Collection[str]) -> None:
    """What a killed build left half done; what a person has put beside the cases stays."""
    for folder in (out / CASES).glob(f"*{CASE}*"):
        if folder.is_dir() and folder.name not in names:
            shutil.rmtree(folder)
    for picture in (out / SHEETS).glob(f"{CASE}*.png"):
        if picture.stem not in names:
            picture.unlink()
