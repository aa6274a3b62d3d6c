"""A few coarse phantoms as a site's patients: CT, marks and table."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom import dcmread

from inference.bundle import Preprocessing
from inference.dataset.build import Found
from inference.dataset.manifest import Mode
from inference.dataset.marks import Rules
from inference.dataset.order import Order, Recipe
from inference.dataset.partition import Partition
from inference.dataset.rules import Inclusion, screened
from inference.dataset.table import Row, read_slices, read_table
from inference.findings import AlgorithmIdentity
from inference.hounsfield import AIR_HU
from inference.morphology import Mask
from inference.phantom import LesionKind, Phantom, as_volume, chest, write_study
from inference.volume import CtVolume
from node.research.choosing import images_of
from node.research.studies import files_in, read_studies
from tests.annotation_objects import key_objects
from tests.models import QUICK_SETTINGS

NUMBERS = Preprocessing(slice_thickness_mm=10.0, pixel_mm=5.6, size=64)
COLUMNS = ("patient_id", "label", "acquired", "age", "site")


@dataclass(frozen=True)
class AirSegmenter:
    """The air inside a phantom: around it is nothing."""

    identity: AlgorithmIdentity = field(default_factory=lambda: AlgorithmIdentity("air", "1", "0" * 64))

    def __call__(self, volume: CtVolume) -> Mask:
        return (volume.hu > AIR_HU) & (volume.hu < -400)


def phantom(number: int) -> Phantom:
    kind = LesionKind.PIMA_LIKE if number % 2 == 0 else LesionKind.IPN_LIKE
    return chest(seed=number, lesion=kind, size_mm=45.0, pixels=64, pixel_mm=5.6, slice_mm=10.0)


@dataclass(frozen=True)
class SmallCohort:
    """`dicom`, `slices.csv` and `patients.csv` in a folder; even numbers are PIMA, odd ones IPN."""

    folder: Path
    marked: dict[str, tuple[str, ...]] = field(
        default_factory=dict, compare=False
    )  # SOP Instance UIDs by patient id

    @property
    def table(self) -> Path:
        return self.folder / "patients.csv"

    @property
    def slices(self) -> Path:
        return self.folder / "slices.csv"

    @property
    def rows(self) -> tuple[Row, ...]:
        return read_table(self.table)

    def found(self, numbers: Preprocessing = NUMBERS) -> dict[str, Found]:
        """As the command finds it."""
        studies = read_studies(files_in([self.folder / "dicom"]), read_slices(self.slices))
        kept = [row for row in self.rows if row.patient_id not in screened(self.rows, Inclusion())]
        thickness_mm = numbers.slice_thickness_mm
        return {
            row.patient_id: images_of(row, studies, QUICK_SETTINGS, model_thickness_mm=thickness_mm)
            for row in kept
        }

    def order(self, out: Path, *, seed: int = 0, numbers: Preprocessing = NUMBERS) -> Order:
        partition = Partition(seed, Mode.INNER)
        kept = [row for row in self.rows if row.patient_id not in screened(self.rows, Inclusion())]
        return Order(
            out=out,
            name="small",
            version="1",
            table_sha256="0" * 64,
            splits=partition.split(kept),
            split_by=partition.words,
            recipe=Recipe(
                numbers,
                Rules(),
                minimum_lung_ml=500.0,
                make_segmenter=AirSegmenter,
                software="sedas-node test",
            ),
        )

    def write_table(self, lines: Sequence[Sequence[object]]) -> None:
        with self.table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *lines])

    def lines(self, numbers: Sequence[int]) -> list[list[object]]:
        return [
            [
                patient_id(n),
                "PIMA" if n % 2 == 0 else "IPN",
                f"20{20 + n % 4}-05-{n + 1:02d}",
                70 + 5 * n,
                "North",
            ]
            for n in numbers
        ]


def patient_id(number: int) -> str:
    return f"PHANTOM-{number:06d}"


def write_cohort(folder: Path, patients: int) -> SmallCohort:
    """The first half is marked by Key Object Selections, the other in a list."""
    cohort = SmallCohort(folder)
    listed = []
    for number in range(patients):
        drawn = phantom(number)
        volume, shown = as_volume(drawn), np.flatnonzero(drawn.lesion.any(axis=(1, 2)))
        files = write_study(drawn, folder / "dicom" / str(number))
        uids = tuple(volume.sop_instance_uids[k] for k in shown)
        cohort.marked[patient_id(number)] = uids
        if number < patients // 2:
            ds = key_objects([dcmread(files[k], stop_before_pixels=True) for k in shown])
            ds.save_as(folder / "dicom" / str(number) / "kos.dcm", enforce_file_format=True)
        else:
            listed += [(patient_id(number), uid) for uid in uids]
    with cohort.slices.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("patient_id", "sop_instance_uid"), *listed])
    cohort.write_table(cohort.lines(range(patients)))
    return cohort
