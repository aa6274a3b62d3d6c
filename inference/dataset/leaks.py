"""What makes a test flatter a model: patients, slices or preparations that the parts of a split share."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from inference.dataset.folder import BadDataset
from inference.dataset.manifest import Case, Manifest, Mode, Split


class Leak(BadDataset):
    """A dataset whose figures would be no evidence; the message lists everything that was found."""


def check(manifest: Manifest) -> None:
    if found := leaks(manifest):
        raise Leak("the dataset is refused:\n  " + "\n  ".join(found))


def leaks(manifest: Manifest) -> tuple[str, ...]:
    """By case and reason; empty if there is none."""
    cases = {case.name: case for case in manifest.cases}
    return (
        *_doubled("case", (case.name for case in manifest.cases)),
        *_doubled("split", (split.name for split in manifest.splits)),
        *_shared_slices(manifest.cases),
        *_repeated_slices(manifest.cases),
        *_prepared_apart(manifest.cases),
        *(leak for split in manifest.splits for leak in _of_split(split, cases)),
    )


def _doubled(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{what} {name} is listed {times} times"


def _shared_slices(cases: Iterable[Case]) -> Iterator[str]:
    """Whatever the split: it is one patient under two names, or a file in the wrong place."""
    holders = defaultdict[str, list[str]](list)
    for case in cases:
        for digest in sorted(set(case.slice_sha256)):
            holders[digest].append(case.name)
    pairs = Counter(pair for names in holders.values() for pair in combinations(names, 2))
    for (first, second), slices in pairs.items():
        yield f"{first} and {second}: {slices} of their slices are the same"


def _repeated_slices(cases: Iterable[Case]) -> Iterator[str]:
    for case in cases:
        if again := len(case.slice_sha256) - len(set(case.slice_sha256)):
            yield f"{case.name}: {again} of its slices are repeated"


def _prepared_apart(cases: Iterable[Case]) -> Iterator[str]:
    """Preparation must depend on nothing of a patient, or it could tell the label."""
    counts = Counter(case.prepared_by for case in cases)
    (usual, most), *others = counts.most_common()
    for case in cases if others else ():
        if case.prepared_by != usual:
            yield (
                f"{case.name} was prepared by {case.prepared_by[:12]}…, {most} others by {usual[:12]}…:"
                " all must be prepared alike"
            )


def _of_split(split: Split, cases: Mapping[str, Case]) -> Iterator[str]:
    where = f"split {split.name}"
    parts = {"train": split.train, "selection": split.selection, "test": split.test}
    for part, names in parts.items():
        yield from _of_part(f"{where}, {part}", names, cases)
    for name in sorted(set(cases).difference(*parts.values())):
        yield f"{where}: {name} is in no part"
    apart = [("train", "selection"), ("train", "test"), ("selection", "test")]
    if split.mode is Mode.PAPER:
        apart.remove(("selection", "test"))
        for name in sorted(set(split.selection) ^ set(split.test)):
            yield f"{where}: in paper mode the test part selects, but {name} is in one of the two only"
    for first, second in apart:
        for name in sorted(set(parts[first]) & set(parts[second])):
            yield f"{where}: {name} is in {first} and in {second}"


def _of_part(where: str, names: tuple[str, ...], cases: Mapping[str, Case]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{where}: {name} is named {times} times"
    for name in sorted(set(names) - set(cases)):
        yield f"{where}: {name} is no case of this dataset"
    labels = {cases[name].label for name in names if name in cases}
    if not names:
        yield f"{where}: is empty"
    elif len(labels) == 1:
        yield f"{where}: all of its cases are {labels.pop()}"
