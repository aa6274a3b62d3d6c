"""A CSV of the images that show a lesion, by SOP Instance UID."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import groupby
from pathlib import Path

from inference.annotations import Annotation, Kind, Lesion
from inference.volume import CtVolume

_REQUIRED = "sop_instance_uid"
_OPTIONAL = ("patient_id", "study_instance_uid", "lesion")  # the first two are for people; the UID is unique


class BadSliceList(ValueError):
    """A CSV that does not name images."""


@dataclass(frozen=True)
class Listed:
    sop_instance_uid: str
    lesion: int = 1  # its number in the patient


def read_slice_list(path: Path) -> tuple[Listed, ...]:
    """UTF-8 with a header row. Raises BadSliceList with the numbers of the rows that are wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadSliceList("the list of slices is not UTF-8") from None
    first = text.partition("\n")[0]
    rows = csv.DictReader(StringIO(text), delimiter=max(",;\t", key=first.count))
    columns = [name.strip() for name in rows.fieldnames or ()]
    if _REQUIRED not in columns or (set(columns) - {_REQUIRED, *_OPTIONAL}):
        raise BadSliceList(
            f"the list of slices has {len(columns)} columns, expected {_REQUIRED} and of {', '.join(_OPTIONAL)}"
        )
    rows.fieldnames = columns
    numbered = [(number, row) for number, row in enumerate(rows, start=2) if any(row.values())]
    listed = [(number, _listed(row[_REQUIRED], row.get("lesion"))) for number, row in numbered]
    if wrong := [number for number, one in listed if one is None]:
        raise BadSliceList(
            f"the list of slices: no UID, or no number of a lesion, in row {', '.join(map(str, wrong[:10]))}"
        )
    return tuple(dict.fromkeys(one for _, one in listed if one is not None))


def as_annotation(listed: Sequence[Listed], volume: CtVolume) -> Annotation:
    ordered = sorted(listed, key=lambda one: one.lesion)
    lesions = tuple(
        Lesion(number, sop_instance_uids=tuple(one.sop_instance_uid for one in each))
        for number, each in groupby(ordered, key=lambda one: one.lesion)
    )
    return Annotation(volume.series_instance_uid, Kind.SLICE_LIST, "", lesions)


def _listed(uid: str | None, lesion: str | None) -> Listed | None:
    uid, number = (uid or "").strip(), (lesion or "").strip() or "1"
    return (
        Listed(uid, int(number))
        if re.fullmatch(r"[0-9.]{1,64}", uid) and number.isascii() and number.isdigit()
        else None
    )
