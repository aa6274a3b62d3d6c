"""The manifest of a dataset whose cases are made: the table's facts, the headers' where it says nothing, the records'."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from inference.dataset.case_folder import Record
from inference.dataset.manifest import Case, Manifest, Segmenter
from inference.dataset.order import Order
from inference.dataset.rules import selection_flow
from inference.dataset.sources import Acquisition
from inference.dataset.split import renamed
from inference.dataset.table import Row
from inference.evaluation.subject import Period
from inference.findings import AlgorithmIdentity

OLDEST = 90  # years; a greater age could tell who it is (45 CFR 164.514(b)(2)(i)(C))


@dataclass(frozen=True)
class Made:
    """A patient whose case is made."""

    name: str  # of the case
    row: Row
    acquisition: Acquisition
    record: Record

    @property
    def on(self) -> date | None:
        return self.row.acquired or self.acquisition.on


def assemble(
    order: Order,
    rows: Sequence[Row],
    made: Sequence[Made],
    left_out: Mapping[str, str],
    segmenter: AlgorithmIdentity,
) -> Manifest:
    """`left_out` are the reasons by patient id, in the order in which they were asked."""
    names = {one.row.patient_id: one.name for one in made}
    only = order.splits[0] if len(order.splits) == 1 else None
    middle = _middle([one.on for one in made if one.on is not None])
    return Manifest(
        name=order.name,
        version=order.version,
        software=order.recipe.software,
        preprocessing=order.recipe.numbers,
        segmenter=named(segmenter),
        cases=tuple(_case(one, middle) for one in sorted(made, key=lambda one: one.name)),
        splits=tuple(renamed(split, names) for split in order.splits),
        split_by=order.split_by,
        flow=selection_flow(rows, left_out, only),
        synthetic=all(one.acquisition.synthetic for one in made),
    )


def named(segmenter: AlgorithmIdentity) -> Segmenter:
    return Segmenter(name=segmenter.name, version=segmenter.version, digest=segmenter.digest)


def _case(made: Made, middle: date | None) -> Case:
    row, acquisition, record = made.row, made.acquisition, made.record
    age = acquisition.age_years if row.age is None else row.age
    return Case(
        name=made.name,
        label=row.label,
        confirmed_by=row.confirmed_by,
        size_mm=row.size_mm or record.size_mm,
        lobe=row.lobe,
        sex=row.sex or acquisition.sex,
        age_years=None if age is None else min(age, OLDEST),
        year=made.on.year if made.on else None,
        period=_period(made.on, middle),
        site=row.site,
        hard=row.hard,
        scanner=acquisition.scanner,
        kernel=record.kernel,
        slice_thickness_mm=record.slice_thickness_mm,
        marked_by=record.marked_by.value,
        slice_sha256=record.slice_sha256,
        images_sha256=record.images_sha256,
        lungs_sha256=record.lungs_sha256,
        lesion_sha256=record.lesion_sha256,
        prepared_by=record.prepared_by,
    )


def _middle(days: Sequence[date]) -> date | None:
    """From this day on it is the later half; None where all are of one day."""
    return statistics.median_high(days) if len(set(days)) > 1 else None


def _period(on: date | None, middle: date | None) -> Period | None:
    if on is None or middle is None:
        return None
    return Period.EARLIER if on < middle else Period.LATER
