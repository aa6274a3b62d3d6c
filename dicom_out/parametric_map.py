"""The Grad-CAM of the key slices as a Parametric Map, on their grid: in numbers what the pictures show in colours."""

from collections.abc import Iterator

import highdicom as hd
import numpy as np
from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from dicom_out import codes
from dicom_out.capture import key_slices
from dicom_out.equipment import Device
from dicom_out.header import SourceSeries
from dicom_out.identity import PRODUCT, Kind, Provenance, ResultName
from dicom_out.slabs import Slabs, name_dimensions
from dicom_out.stamp import stamp
from dicom_out.statements import caution
from inference.findings import Analysis

SERIES_NUMBER = 9006


def map_obstacle(analysis: Analysis, series: SourceSeries) -> str:
    """Why these images can have no map, or nothing."""
    if not any(scored.heat is not None for scored in analysis.slices):
        return "nothing was scored"
    return "" if series.reference.get("FrameOfReferenceUID") else "the images name no frame of reference"


def parametric_maps(analysis: Analysis, series: SourceSeries, provenance: Provenance) -> Iterator[Dataset]:
    """One object with a frame for each key slice, of 32-bit floats from 0 to 1; none where there is an obstacle."""
    if not map_obstacle(analysis, series):
        yield _parametric_map(analysis, series, provenance)


def _parametric_map(analysis: Analysis, series: SourceSeries, provenance: Provenance) -> Dataset:
    name = ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance)
    explained = [(scored, scored.heat) for scored in key_slices(analysis) if scored.heat is not None]
    slabs = Slabs.of([scored for scored, _ in explained], series)
    ds = hd.pm.ParametricMap(
        source_images=slabs.middles,
        further_source_images=slabs.others,
        pixel_array=np.clip(np.stack([heat for _, heat in explained]), 0.0, 1.0).astype(np.float32),
        series_instance_uid=name.uid(ParametricMapStorage, Kind.PARAMETRIC_MAP_SERIES),
        series_number=SERIES_NUMBER,
        sop_instance_uid=name.uid(ParametricMapStorage, Kind.PARAMETRIC_MAP),
        instance_number=1,
        manufacturer=PRODUCT,
        manufacturer_model_name=PRODUCT,
        software_versions=provenance.software_version,
        device_serial_number=PRODUCT,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(analysis)],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        content_label="GRADCAM",
        content_description=f"Grad-CAM of the key slices, evidence for {analysis.label}",
        derivation=CodedConcept.from_code(codes.GRAD_CAM),
        series_description="AI RESEARCH Grad-CAM map",
    )
    ds.BodyPartExamined = "CHEST"  # unpaired, so that no Laterality is asked for (PS3.3 C.7.3.1)
    ds.ImageComments = caution(analysis)
    slabs.refer(ds)
    name_dimensions(ds, name.uid(ParametricMapStorage, Kind.DIMENSIONS))
    stamp(ds, series.reference, provenance, [Device.of(analysis.classifier)])
    return ds


def _mapping(analysis: Analysis) -> hd.pm.RealWorldValueMapping:
    """The stored numbers are the values (PS3.3 C.7.6.16.2.11)."""
    return hd.pm.RealWorldValueMapping(
        lut_label="GRADCAM",
        lut_explanation=f"Evidence for {analysis.label}; 1 is the peak of the study",
        unit=CodedConcept.from_code(codes.NO_UNITS),
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=CodedConcept.from_code(codes.GRAD_CAM),
    )
