"""Algorithms as DICOM describes them: each fact once, so that the places of IHE AIR table 6.5.3.1-1 agree."""

from collections.abc import Iterator
from dataclasses import dataclass

from highdicom.sr.coding import CodedConcept
from highdicom.sr.templates import (
    AlgorithmIdentification,
    DeviceObserverIdentifyingAttributes,
    ObserverContext,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from dicom_out import codes
from dicom_out.identity import PRODUCT, candidate_search, device_uid, node_device_uid
from dicom_out.statements import ascii_text, build
from inference.findings import AlgorithmIdentity, Analysis, SlicePolicy


@dataclass(frozen=True)
class Device:
    """One algorithm build, in the lengths of the DICOM attributes that name it (LO: 64 characters)."""

    manufacturer: str
    model_name: str
    version: str
    uid: str
    build: tuple[str, ...]

    @classmethod
    def of(cls, algorithm: AlgorithmIdentity) -> "Device":
        return cls(
            manufacturer=_long_string(algorithm.manufacturer),
            model_name=_long_string(algorithm.name),
            version=_long_string(algorithm.version),
            uid=device_uid(algorithm),
            build=build(algorithm),
        )

    @classmethod
    def of_node(cls, installation_id: str, software_version: str) -> "Device":
        """The node itself, where no algorithm has a say."""
        return cls(PRODUCT, PRODUCT, _long_string(software_version), node_device_uid(installation_id), ())


def _long_string(text: str) -> str:
    return ascii_text(text).replace("\\", "/").strip()[:64]


def taking_part(analysis: Analysis, software_version: str) -> Iterator[Device]:
    """The algorithms that an analysis was made with."""
    yield Device.of(analysis.classifier)
    yield Device.of(analysis.segmenter)
    if analysis.slice_policy is SlicePolicy.AUTOMATIC:
        yield Device.of(candidate_search(software_version))


def contributing_equipment(device: Device, date_time: str) -> Dataset:
    """An item of the Contributing Equipment Sequence (PS3.3 C.12.1)."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(codes.PROCESSING_EQUIPMENT)]
    item.Manufacturer = device.manufacturer
    item.ManufacturerModelName = device.model_name
    item.SoftwareVersions = device.version
    item.DeviceUID = device.uid
    item.ContributionDateTime = date_time
    item.ContributionDescription = "; ".join((PRODUCT, *device.build))
    return item


def algorithm_identification(
    algorithm: AlgorithmIdentity, family: Code | None = None
) -> AlgorithmIdentification:
    """TID 4019."""
    device = Device.of(algorithm)
    return AlgorithmIdentification(
        name=device.model_name,
        version=device.version,
        parameters=list(device.build) or None,
        family=family,
        manufacturer=device.manufacturer,
    )


def observer(device: Device, installation_id: str) -> ObserverContext:
    """TID 1002 and 1004: the device is who says it."""
    return ObserverContext(
        observer_type=standard.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=device.uid,
            name=PRODUCT,
            manufacturer_name=device.manufacturer,
            model_name=device.model_name,
            serial_number=_long_string(installation_id),
        ),
    )
