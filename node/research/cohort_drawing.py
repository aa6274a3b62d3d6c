"""Draws the patients of a synthetic cohort, each whole or not at all, then marks their slices and writes the tables."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime, time
from functools import partial
from io import BytesIO
from multiprocessing import get_context

from pydantic import TypeAdapter
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_out.durable import write_durably
from dicom_out.reader_selection import reader_selection
from inference.executor import watch_parent
from inference.findings import Label
from inference.phantom import LesionKind, Phantom, as_volume, chest, write_study
from inference.synthetic.lesions import NoPlaceForLesion
from inference.synthetic.plan import Patient, Plan
from inference.synthetic.shares import central, marked_counts
from node.research.cohort_folder import CannotDraw, Folder

FIELD_MM = 358.4  # 512 pixels of 0.7 mm
_READ_AT = time(16, 0)
_KINDS = {Label.PIMA: LesionKind.PIMA_LIKE, Label.IPN: LesionKind.IPN_LIKE}


@dataclass(frozen=True)
class Record:
    """How a patient came out: the truth of the phantom that the CT does not say."""

    study_instance_uid: str
    wanted_mm: float  # longest axial diameter of the lesion
    size_mm: float  # as drawn
    centre_mm: tuple[float, float, float]  # x, y, z in the patient
    shown: tuple[str, ...]  # files of the slices that show the lesion, feet to head


@dataclass(frozen=True)
class Marked:
    """A patient with all that the tables say."""

    patient: Patient
    record: Record
    slices: tuple[str, ...]  # SOP Instance UIDs of the marked slices, feet to head


_RECORD = TypeAdapter(Record)


def draw(plan: Plan, folder: Folder, *, pixels: int, processes: int) -> Iterator[str]:
    """Draws those that are not there, and names each when it is."""
    missing = [patient for patient in plan.patients if not folder.is_drawn(patient.patient_id)]
    one = partial(_draw, folder=folder, pixels=pixels)
    if min(processes, len(missing)) <= 1:
        yield from map(one, missing)
        return
    with ProcessPoolExecutor(processes, get_context("spawn"), watch_parent) as pool:
        yield from pool.map(one, missing)


def mark(plan: Plan, folder: Folder) -> Iterator[Marked]:
    """Writes each patient's Key Object Selection where there is none; all must be drawn."""
    records = [_RECORD.validate_json(folder.record(p.patient_id).read_bytes()) for p in plan.patients]
    counts = marked_counts(plan.marked_slices, [len(record.shown) for record in records])
    for patient, record, count in zip(plan.patients, records, counts, strict=True):
        study = folder.study(patient.patient_id)
        slices = [dcmread(study / name, stop_before_pixels=True) for name in central(record.shown, count)]
        if not (path := study / "marks.dcm").exists():
            at = datetime.combine(patient.acquired, _READ_AT)
            write_durably(_file(reader_selection(slices, at=at)), path)
        yield Marked(patient, record, tuple(str(ds.SOPInstanceUID) for ds in slices))


def _draw(patient: Patient, *, folder: Folder, pixels: int) -> str:
    phantom = _phantom(patient, pixels)
    study = folder.study(patient.patient_id)
    partial_study = study.with_name(f".{study.name}.part")
    for stale in (study, partial_study):
        shutil.rmtree(stale, ignore_errors=True)
    files = write_study(phantom, partial_study, header=_header(patient))
    record = _record(phantom, patient, [file.name for file in files])
    write_durably(_RECORD.dump_json(record, indent=2), folder.record(patient.patient_id))
    partial_study.rename(study)
    return patient.patient_id


def _phantom(patient: Patient, pixels: int) -> Phantom:
    try:
        return chest(
            seed=patient.seed,
            lesion=_KINDS[patient.label],
            size_mm=patient.size_mm,
            lobe=patient.lobe,
            pixels=pixels,
            pixel_mm=FIELD_MM / pixels,
        )
    except NoPlaceForLesion as error:
        raise CannotDraw(f"{patient.patient_id}: {error}; another --seed draws other patients") from error


def _record(phantom: Phantom, patient: Patient, files: Iterable[str]) -> Record:
    if phantom.size_mm is None or phantom.position_mm is None:
        raise ValueError(f"a lesion of {patient.size_mm} mm left no pixel")
    return Record(
        study_instance_uid=as_volume(phantom).study_instance_uid,
        wanted_mm=patient.size_mm,
        size_mm=round(phantom.size_mm, 1),
        centre_mm=phantom.position_mm,
        shown=tuple(name for name, plane in zip(files, phantom.lesion, strict=True) if plane.any()),
    )


def _header(patient: Patient) -> Mapping[str, object]:
    scanner, day = patient.scanner, f"{patient.acquired:%Y%m%d}"
    dates = {f"{kind}Date": day for kind in ("Study", "Series", "Acquisition", "Content")}
    return dates | {
        "PatientName": f"Synthetic^{patient.patient_id}",
        "PatientID": patient.patient_id,
        "PatientBirthDate": f"{patient.birth_date:%Y%m%d}",
        "PatientSex": str(patient.sex),
        "PatientAge": f"{patient.age:03d}Y",
        "InstitutionName": scanner.site,
        "ManufacturerModelName": scanner.model_name,
        "ConvolutionKernel": scanner.kernel,
        "SeriesDescription": f"Chest 5 mm {scanner.kernel}",
        "KVP": str(scanner.kvp),
        "XRayTubeCurrent": str(scanner.tube_current_ma),
    }


def _file(ds: Dataset) -> bytes:
    content = BytesIO()
    ds.save_as(content, enforce_file_format=True)
    return content.getvalue()
