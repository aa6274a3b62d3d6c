"""The lungs and the target as a binary Segmentation, on the grid of the scored slices and in no others.

Each segment is tracked under the UID that its group has in the report.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import highdicom as hd
import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from dicom_out import codes
from dicom_out.equipment import Device
from dicom_out.header import SourceSeries
from dicom_out.identity import PRODUCT, Kind, Provenance, ResultName, candidate_search, mark_transfer
from dicom_out.slabs import Slabs, name_dimensions
from dicom_out.stamp import stamp
from dicom_out.statements import caution
from inference.findings import AlgorithmIdentity, Analysis, SlicePolicy

SERIES_NUMBER = 9003
DESCRIPTION = "Covers the scored slices and no others"  # LO
_BLUE, _ORANGE = CIELabColor(75.0, -10.0, -25.0), CIELabColor(70.0, 35.0, 60.0)


@dataclass(frozen=True, eq=False)
class _Segment:
    """One thing that is outlined, and who outlined it."""

    kind: Kind
    label: str
    category: Code
    type: Code
    algorithm_type: SegmentAlgorithmTypeValues
    algorithm: AlgorithmIdentity
    family: Code
    colour: CIELabColor
    masks: Sequence[NDArray[np.bool_]]  # rows, columns; one for each scored slice


def segmentations(analysis: Analysis, series: SourceSeries, provenance: Provenance) -> Iterator[Dataset]:
    """One object with a frame for each segment and scored slice that shows it.

    None where nothing is outlined, or where the images name no frame of reference to place it in.
    """
    segments = [s for s in _segments(analysis, provenance) if any(mask.any() for mask in s.masks)]
    if segments and series.reference.get("FrameOfReferenceUID"):
        yield _segmentation(analysis, segments, series, provenance)


def _segments(analysis: Analysis, provenance: Provenance) -> Iterator[_Segment]:
    yield _Segment(
        kind=Kind.LUNGS,
        label="Lungs",
        category=codes.ANATOMICAL_STRUCTURE,
        type=codes.LUNG,
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm=analysis.segmenter,
        family=codes.MORPHOLOGICAL_OPERATIONS,  # which complete the lungs of a network too
        colour=_BLUE,
        masks=[scored.lungs for scored in analysis.slices],
    )
    automatic = analysis.slice_policy is SlicePolicy.AUTOMATIC
    finding = codes.finding(analysis)
    by, version = SegmentAlgorithmTypeValues, provenance.software_version
    yield _Segment(
        kind=Kind.TARGET,
        label="Target, unconfirmed candidate" if automatic else "Target, marked in the study",
        category=codes.ABNORMAL_STRUCTURE if finding else codes.SPATIAL_CONCEPT,
        type=finding or codes.SELECTED_REGION,
        algorithm_type=by.AUTOMATIC if automatic else by.SEMIAUTOMATIC,
        algorithm=candidate_search(version) if automatic else mark_transfer(version),
        family=codes.MORPHOLOGICAL_OPERATIONS if automatic else codes.MANUAL_PROCESSING,
        colour=_ORANGE,
        masks=[scored.lesion for scored in analysis.slices],
    )


def _segmentation(
    analysis: Analysis, segments: Sequence[_Segment], series: SourceSeries, provenance: Provenance
) -> Dataset:
    name = ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance)
    slabs = Slabs.of(analysis.slices, series)
    ds = hd.seg.Segmentation(
        source_images=slabs.middles,
        further_source_images=slabs.others,
        pixel_array=np.stack([np.stack(s.masks) for s in segments], axis=-1).astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(n, s, name) for n, s in enumerate(segments, start=1)],
        series_instance_uid=name.uid(SegmentationStorage, Kind.SEGMENTATION_SERIES),
        series_number=SERIES_NUMBER,
        sop_instance_uid=name.uid(SegmentationStorage, Kind.SEGMENTATION),
        instance_number=1,
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=provenance.software_version,
        device_serial_number=PRODUCT,
        content_label="LUNGS_TARGET",
        content_description=DESCRIPTION,
        series_description="AI RESEARCH lungs and target",
    )
    ds.BodyPartExamined = "CHEST"  # unpaired, so that no Laterality is asked for (PS3.3 C.7.3.1)
    ds.ImageComments = caution(analysis)
    slabs.refer(ds)
    name_dimensions(ds, name.uid(SegmentationStorage, Kind.DIMENSIONS))
    stamp(
        ds, series.reference, provenance, dict.fromkeys(Device.of(segment.algorithm) for segment in segments)
    )
    ds["PixelData"].VR = "OB"  # pydicom settles it only while it decodes everything anew
    return ds


def _description(number: int, segment: _Segment, name: ResultName) -> SegmentDescription:
    device = Device.of(segment.algorithm)
    return SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=segment.category,
        segmented_property_type=segment.type,
        algorithm_type=segment.algorithm_type,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=device.model_name,
            family=segment.family,
            version=device.version,
            source=device.manufacturer,
        ),
        tracking_id=segment.kind.capitalize(),
        tracking_uid=name.tracking_uid(segment.kind),
        display_color=segment.colour,
    )
