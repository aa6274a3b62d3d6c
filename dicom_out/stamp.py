"""What every result object carries, whatever it is: patient and study, equipment, instants, file meta information."""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_out.equipment import Device, contributing_equipment
from dicom_out.header import copy_patient_and_study
from dicom_out.identity import (
    IMPLEMENTATION_CLASS_UID,
    PRODUCT,
    Provenance,
    implementation_version_name,
    node_device_uid,
)
from dicom_out.statements import ascii_text


def stamp(ds: Dataset, source: Dataset, provenance: Provenance, devices: Iterable[Device]) -> None:
    """Make `ds` a result of ours about the patient and study of `source`, and replace what highdicom took from the clock."""
    copy_patient_and_study(source, ds)
    at = local_time(provenance.at, source)
    ds.ContributingEquipmentSequence = [contributing_equipment(device, _date_time(at)) for device in devices]
    ds.Manufacturer = PRODUCT
    ds.ManufacturerModelName = PRODUCT
    ds.SoftwareVersions = provenance.software_version
    ds.DeviceSerialNumber = ascii_text(provenance.installation_id)[:64]
    ds.DeviceUID = node_device_uid(provenance.installation_id)
    ds.ContentQualification = "RESEARCH"  # PS3.3 C.8.13.2.1.1
    for kind in ("InstanceCreation", "Series", "Content"):
        setattr(ds, f"{kind}Date", at.strftime("%Y%m%d"))
        setattr(ds, f"{kind}Time", at.strftime("%H%M%S.%f"))
    ds.file_meta = _file_meta(ds, provenance)


def local_time(at: datetime, source: Dataset) -> datetime:
    """`at` in the offset from UTC that the source declares for its own times, else as it was given."""
    declared = str(source.get("TimezoneOffsetFromUTC") or "")
    try:
        minutes = int(declared[:3]) * 60 + int(declared[0] + declared[3:5])
        return at.astimezone(timezone(timedelta(minutes=minutes)))
    except (ValueError, IndexError):
        return at


def _date_time(at: datetime) -> str:
    return at.strftime("%Y%m%d%H%M%S.%f%z")


def _file_meta(ds: Dataset, provenance: Provenance) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = implementation_version_name(provenance.software_version)
    return meta
