"""The folder of a synthetic cohort: whose it is, and where its parts lie."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from dicom_out.durable import write_durably

_NOTE = "cohort.json"


class OtherCohort(ValueError):
    """A folder that holds something else than the cohort that was asked for."""


class CannotDraw(ValueError):
    """A patient of the plan for whom there is no phantom."""


@dataclass(frozen=True)
class Asked:
    """What a cohort is drawn from: the same numbers, the same bytes."""

    patients: int
    screened: int
    seed: int
    pixels: int


@dataclass(frozen=True)
class Folder:
    path: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Against a second run in it."""
        from inference.dataset.alone import Busy, alone

        try:
            with alone(self.path / _NOTE):
                yield
        except Busy as error:
            raise OtherCohort(f"{self.path}: {error}") from error

    @property
    def dicom(self) -> Path:
        return self.path / "dicom"

    def study(self, patient_id: str) -> Path:
        return self.dicom / patient_id

    def record(self, patient_id: str) -> Path:
        """How the patient came out."""
        return self.path / "drawn" / f"{patient_id}.json"

    def is_drawn(self, patient_id: str) -> bool:
        return self.study(patient_id).is_dir() and self.record(patient_id).is_file()


def claimed(path: Path, asked: Asked) -> Folder:
    """The folder, empty before or of this very cohort; a cohort is drawn by one version of the software."""
    note = path / _NOTE
    facts = asdict(asked) | {"software": f"sedas-node {version('sedas-node')}"}
    if note.is_file():
        _refuse_another(note, facts)
    elif path.exists() and any(path.iterdir()):
        raise OtherCohort(
            f"{path} holds files that are no synthetic cohort; expected an empty or a new folder"
        )
    else:
        write_durably(json.dumps(facts, indent=2).encode(), note)
    return Folder(path)


def _refuse_another(note: Path, facts: dict[str, object]) -> None:
    try:
        found = json.loads(note.read_bytes())
    except ValueError as error:
        raise OtherCohort(f"{note} is damaged") from error
    if found != facts:
        raise OtherCohort(f"{note.parent} holds another cohort: {found}, expected {facts}")
