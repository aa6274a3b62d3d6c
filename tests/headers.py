"""Headers of images that were never made, for the pure rules."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from node.headers import Header

SLICE = Header(
    path=Path("slice.dcm"),
    sop_instance_uid="1.2.3.0",
    sop_class_uid=CTImageStorage,
    study_instance_uid="1.2",
    series_instance_uid="1.2.3",
    transfer_syntax_uid=ExplicitVRLittleEndian,
    patient_key="a",
    modality="CT",
    image_type=("ORIGINAL", "PRIMARY", "AXIAL"),
    body_part="CHEST",
    series_words="Thorax routine",
    study_words="",
    kernel="B70f",
    slice_thickness_mm=5.0,
    row_direction=(1.0, 0.0, 0.0),
    column_direction=(0.0, 1.0, 0.0),
    position_mm=(0.0, 0.0, 0.0),
    samples_per_pixel=1,
    rescale_type="HU",
    age_years=60.0,
)


def series(uid: str = "1.2.3", *, slices: int = 60, spacing_mm: float = 5.0, **changes: Any) -> list[Header]:
    """A whole chest of slices, from feet to head."""
    return [
        replace(
            SLICE,
            **{
                "series_instance_uid": uid,
                "sop_instance_uid": f"{uid}.{index}",
                "position_mm": (0.0, 0.0, index * spacing_mm),
                **changes,
            },
        )
        for index in range(slices)
    ]
