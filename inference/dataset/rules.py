"""Who is in a cohort and who is not, by the table alone, and how many were left out why (the paper, section Data)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inference.dataset.manifest import Mode, Split
from inference.dataset.table import Row
from inference.evaluation.flow import Excluded, Flow, Group


@dataclass(frozen=True)
class Inclusion:
    """The paper's: CT within one month of the histology, six months without recurrence."""

    days_to_histology: int = 31
    follow_up_months: float = 6


def excluded(row: Row, rules: Inclusion) -> str | None:
    """Why, in words that say nothing of a person; a rule whose value is not known excludes nobody."""
    if row.exclude:
        return row.exclude
    if _far_from_histology(row, rules):
        return f"PIMA, CT more than {rules.days_to_histology} days from the histology"
    if _followed_too_briefly(row, rules):
        return f"IPN, followed for less than {rules.follow_up_months:g} months"
    return None


def screened(rows: Iterable[Row], rules: Inclusion) -> dict[str, str]:
    """Patients that are excluded and why, in the order in which the rules are asked."""
    found = [(row, reason) for row in rows if (reason := excluded(row, rules))]
    found.sort(key=lambda each: (not each[0].exclude, each[0].label != "PIMA", each[1], each[0].patient_id))
    return {row.patient_id: reason for row, reason in found}


def not_asked(rows: Iterable[Row]) -> tuple[str, ...]:
    """How many patients a rule could not be asked of."""
    kept = [row for row in rows if not row.exclude]
    undated = sum(row.label == "PIMA" and _days_to_histology(row) is None for row in kept)
    unfollowed = sum(_rests_on_follow_up(row) and row.follow_up_months is None for row in kept)
    counts = (
        (undated, "PIMA whose days between CT and histology are not known"),
        (unfollowed, "IPN whose follow-up is of unknown length"),
    )
    return tuple(f"patients with {what}: {patients}" for patients, what in counts if patients)


def selection_flow(rows: Sequence[Row], reasons: Mapping[str, str], split: Split | None = None) -> Flow:
    """Counts in the order of `reasons` (those of `screened`, then what was found later), over patient ids.

    Without a split, or where there are several, the included are one group. Raises DoesNotAddUp where a patient is
    neither excluded nor in a part.
    """
    labels = {row.patient_id: row.label for row in rows if row.patient_id not in reasons}
    groups = {"included": tuple(labels)} if split is None else _parts(split)
    return Flow(
        screened=len(rows),
        excluded=tuple(Excluded(reason, n) for reason, n in Counter(reasons.values()).items()),
        included=tuple(
            Group(name, counts["PIMA"], counts["IPN"])
            for name, keys in groups.items()
            for counts in [Counter(labels[key] for key in keys if key in labels)]
        ),
    )


def _parts(split: Split) -> dict[str, tuple[str, ...]]:
    if split.mode is Mode.PAPER:
        return {"train": split.train, "test, which also selects": split.test}
    return {"train": split.train, "selection": split.selection, "test": split.test}


def _far_from_histology(row: Row, rules: Inclusion) -> bool:
    days = _days_to_histology(row)
    return row.label == "PIMA" and days is not None and days > rules.days_to_histology


def _days_to_histology(row: Row) -> int | None:
    """Before or after it."""
    if row.acquired is None or row.confirmed_on is None:
        return None
    return abs((row.acquired - row.confirmed_on).days)


def _followed_too_briefly(row: Row, rules: Inclusion) -> bool:
    months = row.follow_up_months
    return _rests_on_follow_up(row) and months is not None and months < rules.follow_up_months


def _rests_on_follow_up(row: Row) -> bool:
    """A histology needs no course to confirm it."""
    return row.label == "IPN" and row.confirmed_by != "histology"
