"""What differs between two contents of one SOP Instance UID: the object itself, whose it is, or only how it is described."""

from enum import Enum
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_out.header import PATIENT_AND_STUDY, differing
from inference.unreadable import UNREADABLE, is_of_content

_BOMB = 1000  # times the bytes of the pixel data

IDENTITY = (
    "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID",
    "AccessionNumber",
)  # fmt: skip


class Change(Enum):
    CONTENT = "content"  # other pixels, or another document
    IDENTITY = "identity"  # of patient or study
    HEADER = "header"  # anything else: a corrected description, another transfer syntax


def change_between(known: Path, new: Path) -> Change:
    """Raises OSError. Where the file of what is known has gone, the new one counts as another identity: it is analysed."""
    if not known.exists():
        return Change.IDENTITY
    try:
        former, latter = dcmread(known), dcmread(new)
        if not _is_same_object(former, latter):
            return Change.CONTENT
        return Change.IDENTITY if differing(former, latter, IDENTITY) else Change.HEADER
    except UNREADABLE:
        return Change.CONTENT  # what cannot be read cannot be told to be the same
    except OSError as error:
        if is_of_content(error):
            return Change.CONTENT
        raise


def _is_same_object(former: Dataset, latter: Dataset) -> bool:
    if "PixelData" not in former or "PixelData" not in latter:
        return _is_same_document(former, latter)
    if former.file_meta.TransferSyntaxUID == latter.file_meta.TransferSyntaxUID:
        return bool(former.PixelData == latter.PixelData)
    if _is_bomb(former) or _is_bomb(latter):
        return False
    return np.array_equal(former.pixel_array, latter.pixel_array)


def _is_bomb(ds: Dataset) -> bool:
    """Does its header promise far more pixels than its bytes can hold? No slice of a patient compresses so well."""
    frames = int(ds.get("NumberOfFrames") or 1)
    needed = ds.Rows * ds.Columns * ds.get("SamplesPerPixel", 1) * frames * ds.BitsAllocated // 8
    return bool(needed > _BOMB * max(len(ds.PixelData), 1))


def _is_same_document(former: Dataset, latter: Dataset) -> bool:
    """All but patient and study is what a document says."""
    first, second = Dataset(former), Dataset(latter)
    for ds in (first, second):
        for keyword in PATIENT_AND_STUDY:
            if keyword in ds:
                del ds[keyword]
    return bool(first == second)
