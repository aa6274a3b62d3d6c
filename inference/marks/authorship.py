"""Who made an annotation: a person, an algorithm, or a device of ours."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from inference.marks import content_tree
from inference.marks.content_tree import below, first_code

_PROCESSING_EQUIPMENT = ("109102", "DCM")


def device_uids(ds: Dataset) -> frozenset[str]:
    """Of the equipment that made it or had a part in it (PS3.3 C.7.5.1, C.12.1), and of its device observers."""
    return frozenset(uid for uid in _device_uids(ds) if uid)


def _device_uids(ds: Dataset) -> Iterator[str]:
    yield str(ds.get("DeviceUID") or "")
    for equipment in ds.get("ContributingEquipmentSequence") or ():
        yield str(equipment.get("DeviceUID") or "")
    for item in below(ds):
        if content_tree.name(item) == content_tree.DEVICE_OBSERVER_UID:
            yield str(item.get("UID") or "")


def is_by_algorithm(document: Dataset) -> bool:
    """Does a document (SR, KOS) name a device or an algorithm as its author, and no person?

    Where nothing is said a person is meant (PS3.16 TID 1002). Who verifies a report answers for it.
    """
    if document.get("VerificationFlag") == "VERIFIED":
        return False
    said = [(content_tree.name(item), content_tree.value(item)) for item in below(document)]
    names = {name for name, _ in said}
    if (
        content_tree.PERSON_OBSERVER_NAME in names
        or (content_tree.OBSERVER_TYPE, content_tree.PERSON) in said
    ):
        return False
    return (
        (content_tree.OBSERVER_TYPE, content_tree.DEVICE) in said
        or not names.isdisjoint({content_tree.DEVICE_OBSERVER_UID, content_tree.ALGORITHM_NAME})
        or any(_is_algorithm(equipment) for equipment in document.get("ContributingEquipmentSequence") or ())
    )


def _is_algorithm(equipment: Dataset) -> bool:
    """As IHE AIR 6.5.3.1 has a result name its algorithm; a mere toolkit names itself without Device UID."""
    purpose = first_code(equipment, "PurposeOfReferenceCodeSequence")
    return purpose == _PROCESSING_EQUIPMENT and bool(equipment.get("DeviceUID"))
