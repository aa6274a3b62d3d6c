"""Who trains, who selects and who tests: by patient, from the table alone, before a slice is made (the paper, Data).

The keys are patient ids; `renamed` gives them the names of the cases. Chance is a digest of seed and id, so that a split
depends neither on the order of the rows nor on a library's random numbers.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

from inference.dataset.manifest import Mode, Split
from inference.dataset.table import LABELS, Assignment, Part, Row

TEST, SELECTION = 0.2, 0.2  # of all, and of the rest
LARGE_MM = 30.0  # from here a mass, not a nodule


class CannotSplit(ValueError):
    """Patients that cannot be parted as asked; says of whom there are too few."""


def by_seed(
    rows: Sequence[Row],
    *,
    seed: int,
    mode: Mode = Mode.INNER,
    test: float = TEST,
    selection: float = SELECTION,
) -> Split:
    """Shares of each class to the nearest patient, and within it of the sizes as nearly as whole patients allow."""
    tested = _drawn(rows, test, chance=f"{seed} test", leaving=2 if mode is Mode.INNER else 1)
    return _split("main", tested, rows, seed=seed, mode=mode, selection=selection)


def folds(
    rows: Sequence[Row], k: int, *, seed: int, mode: Mode = Mode.INNER, selection: float = SELECTION
) -> tuple[Split, ...]:
    """Every patient is tested in exactly one of them; all are alike in classes and sizes."""
    if k < 2:
        raise CannotSplit(f"folds: {k}, expected 2 or more")
    for label in LABELS:
        if (patients := sum(row.label == label for row in rows)) < k:
            raise CannotSplit(f"patients with {label}: {patients}, expected one for each of {k} folds")
    dealt = [row for label in LABELS for stratum in _strata(rows, label, f"{seed} folds") for row in stratum]
    return tuple(
        _split(f"fold-{n + 1}", dealt[n::k], rows, seed=seed, mode=mode, selection=selection)
        for n in range(k)
    )


def leave_one_site_out(
    rows: Sequence[Row], *, seed: int, mode: Mode = Mode.INNER, selection: float = SELECTION
) -> tuple[Split, ...]:
    """Each site is tested by what was trained at the others."""
    if without := sum(not row.site for row in rows):
        raise CannotSplit(f"patients without a site: {without} of {len(rows)}")
    sites = sorted({row.site for row in rows})
    if len(sites) < 2:
        raise CannotSplit(f"sites: {len(sites)}, expected 2 or more")
    members = {site: [row for row in rows if row.site == site] for site in sites}
    if poor := [f"{site} has no {label}" for site in sites for label in _absent(members[site])]:
        raise CannotSplit(f"a site is tested on both classes, but {', '.join(poor)}")
    return tuple(
        _split(f"without-{site}", members[site], rows, seed=seed, mode=mode, selection=selection)
        for site in sites
    )


def by_table(rows: Sequence[Row], parts: Iterable[Assignment], *, mode: Mode = Mode.INNER) -> Split:
    """As the site decided; it may also name patients that are excluded. In paper mode nobody is in `selection`."""
    part_of = {each.patient_id: each.part for each in parts}
    if unnamed := [row.number for row in rows if row.patient_id not in part_of]:
        numbers = ", ".join(map(str, unnamed))
        raise CannotSplit(
            f"no part is given for {len(unnamed)} patients: rows {numbers} of the patient table"
        )
    members = {part: [row for row in rows if part_of[row.patient_id] is part] for part in Part}
    if mode is Mode.PAPER:
        if apart := len(members[Part.SELECTION]):
            raise CannotSplit(f"patients in selection: {apart}, but in paper mode the test part selects")
        members[Part.SELECTION] = members[Part.TEST]
    if poor := [f"{part} has no {label}" for part in Part for label in _absent(members[part])]:
        raise CannotSplit(f"each part needs both classes, but {', '.join(poor)}")
    return Split(name="main", mode=mode, **{part: _keys(members[part]) for part in Part})


def renamed(split: Split, names: Mapping[str, str]) -> Split:
    """By the names of the cases; who has none was left out after the split."""
    parts = {
        part.value: tuple(sorted(names[key] for key in getattr(split, part) if key in names)) for part in Part
    }
    return split.model_copy(update=parts)


def _split(
    name: str, tested: Sequence[Row], rows: Sequence[Row], *, seed: int, mode: Mode, selection: float
) -> Split:
    selecting, training = tested, _without(rows, tested)
    if mode is Mode.INNER:
        selecting = _drawn(training, selection, chance=f"{seed} selection {name}", leaving=1)
        training = _without(training, selecting)
    return Split(name=name, mode=mode, train=_keys(training), selection=_keys(selecting), test=_keys(tested))


def _drawn(rows: Sequence[Row], share: float, *, chance: str, leaving: int) -> list[Row]:
    """At least one patient of each class, and at least `leaving` stay."""
    if not 0 < share < 1:
        raise CannotSplit(f"a share of {share}, expected more than 0 and less than 1")
    drawn: list[Row] = []
    for label in LABELS:
        strata = _strata(rows, label, chance)
        total = sum(map(len, strata))
        if total <= leaving:
            raise CannotSplit(f"patients with {label}: {total}, expected one for each of {leaving + 1} parts")
        wanted = min(max(1, math.floor(total * share + 0.5)), total - leaving)
        for stratum, patients in zip(strata, _apportioned([*map(len, strata)], wanted), strict=True):
            drawn += stratum[:patients]
    return drawn


def _strata(rows: Iterable[Row], label: str, chance: str) -> list[list[Row]]:
    """Of one class: small, large and of unknown size, each in an order by chance."""
    ranked = sorted(
        (row for row in rows if row.label == label),
        key=lambda row: hashlib.sha256(f"{chance} {row.patient_id}".encode()).digest(),
    )
    return [[row for row in ranked if _is_large(row) is large] for large in (False, True, None)]


def _is_large(row: Row) -> bool | None:
    return None if row.size_mm is None else row.size_mm >= LARGE_MM


def _apportioned(sizes: Sequence[int], wanted: int) -> list[int]:
    """Whole numbers in proportion, by the largest remainders (Hamilton's method)."""
    total = sum(sizes)
    shares = [wanted * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda place: -(wanted * sizes[place] % total))
    for place in by_remainder[: wanted - sum(shares)]:
        shares[place] += 1
    return shares


def _without(rows: Iterable[Row], others: Iterable[Row]) -> list[Row]:
    gone = {row.patient_id for row in others}
    return [row for row in rows if row.patient_id not in gone]


def _keys(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(sorted(row.patient_id for row in rows))


def _absent(rows: Iterable[Row]) -> list[str]:
    present = {row.label for row in rows}
    return [label for label in LABELS if label not in present]
