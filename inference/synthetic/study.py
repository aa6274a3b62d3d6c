"""A phantom's slices as CT Image Storage, valid by PS3.3 A.3 and the same bytes each time."""

import uuid
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from inference.findings import Position

_NAMESPACE = uuid.UUID("3c8e2f0a-6b0d-5d55-9f43-7d6a4f3f6f1e")
_DATE, _TIME = "20260302", "091500"
_INTERCEPT = -1024


@dataclass(frozen=True)
class SeriesFacts:
    seed: int
    case: str  # which lesion this person has
    number: int
    kernel: str
    spacing_mm: tuple[float, float, float]  # z, y, x
    origin_mm: Position

    @property
    def study_instance_uid(self) -> UID:
        return derived_uid(self.seed, self.case)

    @property
    def series_instance_uid(self) -> UID:
        return derived_uid(self.study_instance_uid, self.number, self.kernel, self.spacing_mm, self.origin_mm)

    @property
    def frame_of_reference_uid(self) -> UID:
        return derived_uid(self.study_instance_uid, "frame of reference")

    def sop_instance_uid(self, index: int) -> UID:
        return derived_uid(self.series_instance_uid, index)

    def position_mm(self, index: int) -> Position:
        x, y, z = self.origin_mm
        return (round(x, 4), round(y, 4), round(z + index * self.spacing_mm[0], 4))


def derived_uid(*facts: object) -> UID:
    """The same facts, the same UID (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(map(str, facts))).int}")


def ct_image(hu: NDArray[np.int16], index: int, series: SeriesFacts) -> Dataset:
    ds = Dataset()
    _identify(ds, index, series)
    _describe_acquisition(ds, index, series)
    _place(ds, index, series)
    _fill_pixels(ds, hu)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = derived_uid("implementation")
    ds.file_meta.ImplementationVersionName = "SEDAS_PHANTOM"
    return ds


def _identify(ds: Dataset, index: int, series: SeriesFacts) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = series.sop_instance_uid(index)
    ds.StudyInstanceUID = series.study_instance_uid
    ds.SeriesInstanceUID = series.series_instance_uid
    ds.FrameOfReferenceUID = series.frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    ds.PatientName = "Phantom^Chest"
    ds.PatientID = f"PHANTOM-{series.seed:06d}"
    ds.PatientBirthDate = "19660101"
    ds.PatientSex = "O"
    ds.PatientAge = "060Y"
    ds.AccessionNumber = f"P{series.seed:06d}"
    ds.StudyID = "1"
    ds.ReferringPhysicianName = ""
    ds.StudyDescription = "CT chest (synthetic)"
    ds.SeriesDescription = f"Chest {series.spacing_mm[0]:g} mm {series.kernel}"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = _DATE
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = _TIME


def _describe_acquisition(ds: Dataset, index: int, series: SeriesFacts) -> None:
    ds.Modality = "CT"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Manufacturer = "sedas-node"
    ds.ManufacturerModelName = "Synthetic chest"
    ds.DeviceSerialNumber = "0"
    ds.SoftwareVersions = "1"
    ds.BodyPartExamined = "CHEST"
    ds.PatientPosition = "HFS"
    ds.ProtocolName = "Chest"
    ds.ConvolutionKernel = series.kernel
    ds.KVP = "120"
    ds.XRayTubeCurrent = "150"
    ds.SeriesNumber = series.number
    ds.AcquisitionNumber = 1
    ds.InstanceNumber = index + 1


def _place(ds: Dataset, index: int, series: SeriesFacts) -> None:
    slice_mm, row_mm, column_mm = series.spacing_mm
    ds.ImagePositionPatient = list(series.position_mm(index))
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [row_mm, column_mm]
    ds.SliceThickness = slice_mm
    ds.SliceLocation = ds.ImagePositionPatient[2]


def _fill_pixels(ds: Dataset, hu: NDArray[np.int16]) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = hu.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelRepresentation = 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = _INTERCEPT, 1, "HU"
    ds.WindowCenter, ds.WindowWidth = -600, 1500
    ds.PixelData = (hu.astype(np.int32) - _INTERCEPT).astype("<u2").tobytes()
