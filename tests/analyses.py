"""Made-up analyses and the CT headers they speak of: the test data of everything behind the inference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from dicom_out.identity import Provenance
from inference.findings import (
    AlgorithmIdentity,
    Analysis,
    Consistency,
    InputQuality,
    QualityCode,
    ScoredSlice,
    SlicePolicy,
    Target,
    Timings,
    pool,
    read,
)

STUDY_UID = "1.2.826.0.1.3680043.10.1.1"
SERIES_UID = "1.2.826.0.1.3680043.10.1.2"
FRAME_OF_REFERENCE_UID = "1.2.826.0.1.3680043.10.1.3"
DEMONSTRATION = "Demonstration model, no clinical meaning."
LIMIT = "It has seen no patient, only drawings."

PROVENANCE = Provenance(
    installation_id="test-installation",
    generation=1,
    result_digest="0" * 64,
    at=datetime(2026, 11, 24, 8, 30, 15, 250000, tzinfo=UTC),
    software_version="0.1.0",
)


@dataclass(frozen=True)
class Plane:
    """A drawn axial slice: body, two lungs, a lesion in the right one, heat on the lesion."""

    hu: NDArray[np.int16]
    lungs: NDArray[np.bool_]
    lesion: NDArray[np.bool_]
    heat: NDArray[np.float32]


def plane(rows: int = 512, columns: int = 512) -> Plane:
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    body = (x / 0.92) ** 2 + (y / 0.66) ** 2 < 1
    lungs = (((x + 0.42) / 0.30) ** 2 + (y / 0.46) ** 2 < 1) | (
        ((x - 0.42) / 0.28) ** 2 + (y / 0.46) ** 2 < 1
    )
    lesion = (x + 0.45) ** 2 + (y - 0.1) ** 2 < 0.1**2
    hu = np.where(body, 40, -1000)
    hu = np.where(lungs, -850 + 25 * np.cos(40 * x) * np.cos(40 * y), hu)
    hu = np.where(lesion, 20, hu)
    heat = np.exp(-((x + 0.45) ** 2 + (y - 0.1) ** 2) / 0.03) * lungs
    return Plane(
        hu=hu.astype(np.int16),
        lungs=lungs,
        lesion=lesion,
        heat=np.where(heat < 0.02, 0, heat).astype(np.float32),
    )


def ct_header(index: int, *, rows: int = 512, columns: int = 512, thickness_mm: float = 5.0) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = f"{SERIES_UID}.{index + 1}"
    ds.StudyInstanceUID = STUDY_UID
    ds.SeriesInstanceUID = SERIES_UID
    ds.FrameOfReferenceUID = FRAME_OF_REFERENCE_UID
    ds.PositionReferenceIndicator = ""
    ds.Modality = "CT"
    ds.Manufacturer = "Phantom"
    ds.PatientName = "Doe^Jane"
    ds.PatientID = "P-4711"
    ds.PatientBirthDate = "19610203"
    ds.PatientSex = "F"
    ds.StudyDate, ds.StudyTime = "20261120", "101500"
    ds.AcquisitionDate, ds.AcquisitionTime = "20261120", "101630"
    ds.AccessionNumber = "A1"
    ds.ReferringPhysicianName = "Who^Doctor"
    ds.StudyID = "S1"
    ds.StudyDescription = "CT chest"
    ds.BodyPartExamined = "CHEST"
    ds.SeriesNumber = 2
    ds.InstanceNumber = index + 1
    ds.SliceThickness = thickness_mm
    ds.ImagePositionPatient = [-170.0, -170.0, thickness_mm * index]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [round(340 / rows, 6), round(340 / columns, 6)]
    ds.Rows, ds.Columns = rows, columns
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    return ds


class Asked(TypedDict):
    """What `encode` makes on request."""

    segmentation: bool
    key_objects: bool
    parametric_map: bool
    presentation_state: bool


EVERYTHING = Asked(segmentation=True, key_objects=True, parametric_map=True, presentation_state=True)


def ct_headers(count: int = 12, *, rows: int = 512, columns: int = 512) -> list[Dataset]:
    return [ct_header(index, rows=rows, columns=columns) for index in range(count)]


def analysis_of(
    headers: Sequence[Dataset],
    *,
    scored: slice = slice(2, 9),
    policy: SlicePolicy = SlicePolicy.AUTOMATIC,
    size_mm: float = 24.0,
    probabilities: Sequence[float] = (0.42, 0.55, 0.63, 0.91, 0.77, 0.6, 0.51),
) -> Analysis:
    """An analysis of the series, its `scored` headers taken for slices through the target, from feet to head."""
    if policy is SlicePolicy.NONE:
        return _analysis(headers[0], policy, (), None, size_mm)
    drawn = plane(int(headers[0].Rows), int(headers[0].Columns))
    slices = tuple(
        _scored_slice(header, drawn, probabilities[i % len(probabilities)])
        for i, header in enumerate(headers[scored])
    )
    position = slices[len(slices) // 2].position_mm
    return _analysis(headers[0], policy, slices, Target(position_mm=position, size_mm=size_mm), size_mm)


def _scored_slice(header: Dataset, drawn: Plane, probability: float) -> ScoredSlice:
    x, y, z = (float(component) for component in header.ImagePositionPatient)
    return ScoredSlice(
        sop_instance_uid=str(header.SOPInstanceUID),
        source_uids=(str(header.SOPInstanceUID),),
        instance_number=int(header.InstanceNumber),
        position_mm=(x, y, z),
        probability=probability,
        hu=drawn.hu,
        lungs=drawn.lungs,
        lesion=drawn.lesion,
        heat=drawn.heat,
    )


def _analysis(
    header: Dataset,
    policy: SlicePolicy,
    slices: tuple[ScoredSlice, ...],
    target: Target | None,
    size_mm: float,
) -> Analysis:
    probability = pool([s.probability or 0.0 for s in slices]) if slices else None
    automatic = policy is SlicePolicy.AUTOMATIC
    return Analysis(
        study_instance_uid=str(header.StudyInstanceUID),
        series_instance_uid=str(header.SeriesInstanceUID),
        label=None if probability is None else read(probability, 0.5),
        probability=probability,
        consistency=None if probability is None else Consistency(spread=0.1525, flip=0.0312),
        calibration="",
        threshold=0.5,
        slice_policy=policy,
        target=target,
        other_candidates=(Target((40.0, -12.5, 31.0), size_mm / 3),) if automatic else (),
        slices=slices,
        lung_volume_ml=4321.0,
        input_quality=(
            InputQuality(QualityCode.SLICE_THICKNESS, "Slices are 8.0 mm thick; the model expects 5.0 mm."),
        ),
        abstained_for=(),
        classifier=AlgorithmIdentity(
            name="SE-DAS ResNet50 demonstration",
            version="1",
            digest="a" * 64,
            statements=(DEMONSTRATION,),
            limits=(LIMIT,),
        ),
        segmenter=AlgorithmIdentity(name="Threshold lung segmenter", version="1", digest="b" * 64),
        timings_s=Timings(load=1.0, segment=2.0, select=0.1, classify=3.0),
    )


def of_another_model(analysis: Analysis) -> Analysis:
    return replace(analysis, classifier=replace(analysis.classifier, digest="c" * 64))
