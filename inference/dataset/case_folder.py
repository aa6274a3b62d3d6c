"""One case on disk: its arrays, and a record of how they came about; whole or absent."""

import hashlib
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from inference.annotations import Kind
from inference.dataset.folder import CASES, IMAGES, LESION, LUNGS
from inference.dataset.manifest import Sha256
from inference.dataset.prepare import Prepared
from inference.dataset.sheet import sheet
from inference.dataset.sources import worded
from inference.volume import CtVolume

SHEETS = "sheets"
_RECORD = "record.json"


class Record(BaseModel):
    """What the images and marks say of a case; the rest comes from the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kernel: str
    slice_thickness_mm: float | None
    prepared_by: Sha256
    marked_by: Kind
    refused_marks: int
    size_mm: float | None
    slice_sha256: tuple[Sha256, ...]
    images_sha256: Sha256
    lungs_sha256: Sha256
    lesion_sha256: Sha256


def write_case(out: Path, name: str, volume: CtVolume, prepared: Prepared, *, prepared_by: str) -> Record:
    """The sheet first: a case whose folder is there has one."""
    arrays = {
        IMAGES: _bytes(prepared.images),
        LUNGS: _bytes(prepared.lungs),
        LESION: _bytes(prepared.lesion),
    }
    record = Record(
        kernel=worded(volume.kernel),
        slice_thickness_mm=volume.slice_thickness_mm,
        prepared_by=prepared_by,
        marked_by=prepared.marked_by,
        refused_marks=prepared.refused_marks,
        size_mm=prepared.size_mm,
        slice_sha256=tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in prepared.images),
        images_sha256=_sha256(arrays[IMAGES]),
        lungs_sha256=_sha256(arrays[LUNGS]),
        lesion_sha256=_sha256(arrays[LESION]),
    )
    (out / SHEETS).mkdir(parents=True, exist_ok=True)
    (out / SHEETS / f"{name}.png").write_bytes(sheet(prepared))
    partial, whole = out / CASES / f".{name}", out / CASES / name
    for old in (partial, whole):
        shutil.rmtree(old, ignore_errors=True)
    partial.mkdir(parents=True)
    for file, content in (*arrays.items(), (_RECORD, record.model_dump_json(indent=1).encode())):
        (partial / file).write_bytes(content)
    partial.rename(whole)
    return record


def read_record(out: Path, name: str) -> Record | None:
    """Of a case that is there with its sheet and the arrays its record was written for."""
    folder, picture = out / CASES / name, out / SHEETS / f"{name}.png"
    try:
        record = Record.model_validate_json((folder / _RECORD).read_bytes())
        digests = [_sha256((folder / file).read_bytes()) for file in (IMAGES, LUNGS, LESION)]
    except (OSError, ValidationError):
        return None
    whole = digests == [record.images_sha256, record.lungs_sha256, record.lesion_sha256]
    return record if whole and picture.exists() else None


def _bytes(array: NDArray[Any]) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
