"""Whether the way a scan was made tells its label: then a model can learn the scanner and not the lesion."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.dataset.manifest import Case, Manifest
from inference.evaluation.cohort import Difference, independence

SURELY = 0.001  # p of independence, below which a warning is given
NEARLY_ALL = 0.9  # of the errors of guessing the commoner label
SHOWN = 6  # values of an attribute

_ATTRIBUTES: Mapping[str, Callable[[Case], object]] = {
    "scanner": lambda case: case.scanner,
    "kernel": lambda case: case.kernel,
    "slice thickness": lambda case: f"{case.slice_thickness_mm:g} mm" if case.slice_thickness_mm else "",
    "site": lambda case: case.site,
    "year": lambda case: case.year,
    "kind of annotation": lambda case: case.marked_by,
}


@dataclass(frozen=True)
class _Association:
    attribute: str
    values: tuple[str, ...]
    counts: NDArray[np.int64]  # values, (PIMA, IPN)

    @property
    def told(self) -> int:
        """Cases whose label is the commoner one of their value."""
        return int(self.counts.max(axis=1).sum())

    @property
    def guessed(self) -> int:
        """Cases of the commoner label."""
        return int(self.counts.sum(axis=0).max())

    @property
    def total(self) -> int:
        return int(self.counts.sum())


def confounded(manifest: Manifest) -> tuple[str, ...]:
    """A sentence for each attribute of the acquisition that goes with the label; not known counts as a value."""
    return tuple(
        _sentence(association) for association in _associations(manifest) if _is_suspicious(association)
    )


def _associations(manifest: Manifest) -> Iterator[_Association]:
    labels = np.array([case.positive for case in manifest.cases])
    for attribute, of in _ATTRIBUTES.items():
        found = np.array([str(of(case) or "not known") for case in manifest.cases])
        values = np.unique(found)
        counts = [[np.sum(labels[found == value]), np.sum(~labels[found == value])] for value in values]
        yield _Association(attribute, tuple(map(str, values)), np.array(counts, dtype=np.int64))


def _is_suspicious(association: _Association) -> bool:
    """Goodman and Kruskal's lambda finds few cases; but values of one case each tell every label and mean nothing."""
    difference = independence(association.counts)
    if not isinstance(difference, Difference):
        return False
    wrong = association.total - association.guessed
    spared = association.told - association.guessed
    telling = 2 * len(association.values) <= association.total and spared >= NEARLY_ALL * wrong
    return telling or difference.p < SURELY


def _sentence(association: _Association) -> str:
    commonest = np.argsort(-association.counts.sum(axis=1), kind="stable")
    shown = [
        f"{association.values[place]}: {association.counts[place, 0]} PIMA, {association.counts[place, 1]} IPN"
        for place in commonest[:SHOWN]
    ]
    if len(commonest) > SHOWN:
        shown.append(f"{len(commonest) - SHOWN} more")
    return (
        f"The {association.attribute} goes with the label: it alone tells {association.told} of"
        f" {association.total} cases, the commoner label {association.guessed} ({'; '.join(shown)})."
    )
