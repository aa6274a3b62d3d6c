"""Slices of several acquisitions under one Series Instance UID: breath-holds must not be mixed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from inference.findings import InputQuality, QualityCode

TAGS = ("AcquisitionNumber", "AcquisitionTime")
_SAME_MM = 0.01


@dataclass(frozen=True)
class Kept:
    """The slices of one pass over the patient, by their place in what was given."""

    slices: tuple[int, ...]
    findings: tuple[InputQuality, ...]


@dataclass(frozen=True)
class _Run:
    """The slices of one acquisition, and the heights in mm between which they lie."""

    slices: tuple[int, ...]
    low: float
    high: float

    def overlaps(self, other: "_Run") -> bool:
        return self.low < other.high - _SAME_MM and other.low < self.high - _SAME_MM


def one_pass(headers: Sequence[Dataset], heights_mm: Sequence[float]) -> Kept:
    """Acquisitions that follow one another make one volume; of those that overlap the longest is kept.

    They are told apart by Acquisition Number, else by Acquisition Time (PS3.3 C.7.6.1). Many scanners
    number or time each rotation: such groups lie side by side and all stay.
    """
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, mark in enumerate(_marks(headers)):
        groups[mark].append(index)
    runs = [_run(group, heights_mm) for group in groups.values()]
    kept: list[_Run] = []
    for run in sorted(runs, key=lambda r: (r.low - r.high, -len(r.slices))):
        if not any(run.overlaps(other) for other in kept):
            kept.append(run)
    slices = tuple(sorted(i for run in kept for i in run.slices))
    if len(slices) == len(headers):
        return Kept(slices, ())
    text = (
        f"{len(runs)} acquisitions lie over one another; {len(slices)} slices of the longest are kept"
        f" and {len(headers) - len(slices)} left out."
    )
    return Kept(slices, (InputQuality(QualityCode.SEVERAL_ACQUISITIONS, text),))


def _run(group: Sequence[int], heights_mm: Sequence[float]) -> _Run:
    heights = [heights_mm[i] for i in group]
    return _Run(tuple(group), min(heights), max(heights))


def _marks(headers: Sequence[Dataset]) -> list[str]:
    """What tells each slice's acquisition; the same for all where nothing does."""
    for keyword in TAGS:
        marks = [str(ds.get(keyword) or "") for ds in headers]
        if all(marks) and len(set(marks)) > 1:
            return marks
    return [""] * len(headers)
