"""What the node needs to know of an image to decide about it, read without its pixels."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.unreadable import UNREADABLE, is_of_content
from node.attributes import age_in_years, number, texts

Triple = tuple[float, float, float]

_TAGS = [
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID",
    "SeriesInstanceUID", "Modality", "StudyDescription", "SeriesDescription", "ProtocolName", "PatientID",
    "PatientBirthDate", "PatientAge", "StudyDate", "BodyPartExamined",
    "SliceThickness", "ConvolutionKernel", "ImageOrientationPatient", "ImagePositionPatient",
    "SamplesPerPixel", "InstanceNumber", "RescaleType",
]  # fmt: skip


class NotDicom(Exception):
    """The file is not a DICOM object, or lacks the UIDs that every object has."""


@dataclass(frozen=True)
class Header:
    """The facts of one image that eligibility and choice look at."""

    path: Path
    sop_instance_uid: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    patient_key: str  # a digest: tells patients apart, names nobody
    modality: str
    image_type: tuple[str, ...]
    body_part: str
    series_words: str  # series description and protocol name
    study_words: str  # study description: may speak of other series
    kernel: str
    slice_thickness_mm: float | None
    row_direction: Triple | None
    column_direction: Triple | None
    position_mm: Triple | None
    samples_per_pixel: int
    rescale_type: str  # what the rescaled values are, if it is said (PS3.3 C.11.1.1.2)
    age_years: float | None


def read_header(path: Path) -> Header:
    try:
        ds = dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        return _header(path, ds)
    except UNREADABLE as error:
        raise NotDicom(f"not a readable DICOM object ({type(error).__name__})") from error
    except OSError as error:
        if is_of_content(error):
            raise NotDicom("not a readable DICOM object (it ends early)") from error
        raise


def read_headers(files: Iterable[Path]) -> list[Header]:
    """The headers of those files that are readable DICOM objects."""
    headers = []
    for file in files:
        with suppress(NotDicom):
            headers.append(read_header(file))
    return headers


def _header(path: Path, ds: Dataset) -> Header:
    orientation = _numbers(ds.get("ImageOrientationPatient"), 6)
    position = _numbers(ds.get("ImagePositionPatient"), 3)
    return Header(
        path=path,
        sop_instance_uid=str(ds.SOPInstanceUID),
        sop_class_uid=str(ds.SOPClassUID),
        study_instance_uid=str(ds.StudyInstanceUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
        patient_key=patient_key(str(ds.get("PatientID") or "")),
        modality=str(ds.get("Modality", "")),
        image_type=texts(ds.get("ImageType")),
        body_part=str(ds.get("BodyPartExamined") or ""),
        series_words=f"{ds.get('SeriesDescription') or ''} {ds.get('ProtocolName') or ''}".strip(),
        study_words=str(ds.get("StudyDescription") or ""),
        kernel="\\".join(texts(ds.get("ConvolutionKernel"))),
        slice_thickness_mm=number(ds.get("SliceThickness")) or None,
        row_direction=(orientation[0], orientation[1], orientation[2]) if orientation else None,
        column_direction=(orientation[3], orientation[4], orientation[5]) if orientation else None,
        position_mm=(position[0], position[1], position[2]) if position else None,
        samples_per_pixel=round(number(ds.get("SamplesPerPixel")) or 1),
        rescale_type=str(ds.get("RescaleType") or "").strip(),
        age_years=age_in_years(ds),
    )


def patient_key(patient_id: str) -> str:
    """Of a PatientID; spaces around one say nothing (PS3.5 6.2)."""
    return hashlib.sha256(patient_id.strip().encode()).hexdigest()[:16]


def _numbers(value: Any, count: int) -> Sequence[float] | None:
    numbers = [number(text) for text in texts(value)]
    known = [n for n in numbers if n is not None]
    return known if len(known) == len(numbers) == count else None
