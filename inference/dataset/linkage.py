"""Which case is which patient: kept beside a dataset, never in it, and readable by its owner alone."""

import csv
import hmac
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from itertools import count
from operator import itemgetter
from pathlib import Path

from inference.dataset.folder import BadDataset

CASE = "case-"  # and a number
_HEADER = ("patient_id", "case")


class BadLinkage(BadDataset):
    """A linkage file that cannot be used."""


def beside(out: Path, kind: str) -> Path:
    """A file that belongs to the dataset folder `out` and lies outside it: OUT.KIND"""
    return out.with_name(f"{out.name}.{kind}")


def names(patient_ids: Iterable[str], known: Mapping[str, str], *, key: str) -> dict[str, str]:
    """Cases by patient: those `known` stay; new ones follow, in an order that says nothing of a patient.

    Without the `key`, which stays at the site, a list of the patients does not give the order back.
    """
    kept = {patient: known[patient] for patient in patient_ids if patient in known}
    new = sorted(
        (patient for patient in patient_ids if patient not in known),
        key=lambda patient: hmac.digest(key.encode(), patient.encode(), "sha256"),
    )
    free = (name for number in count(1) if (name := f"{CASE}{number:04d}") not in set(known.values()))
    return {**kept, **dict(zip(new, free, strict=False))}


def read_linkage(path: Path) -> dict[str, str]:
    """Cases by patient; empty where there is no file."""
    if not path.exists():
        return {}
    header, *lines = list(csv.reader(StringIO(path.read_text(encoding="utf-8")))) or [[]]
    linked = {line[0]: line[1] for line in lines if len(line) == len(_HEADER)}
    if tuple(header) != _HEADER or len(set(linked.values())) != len(lines):
        raise BadLinkage(f"the linkage file holds no {' and '.join(_HEADER)}, each once; move it away")
    return linked


def write_linkage(path: Path, linked: Mapping[str, str]) -> None:
    write_rows(path, _HEADER, sorted(linked.items(), key=itemgetter(1)))


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """As CSV, mode 0600."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_private(path, text.getvalue())


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
