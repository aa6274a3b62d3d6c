"""What a radiologist's objects say of where the nodule is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Annotation:
    """One object of the study that refers to slices or regions of it."""

    sop_instance_uid: str
    sop_class_uid: str
