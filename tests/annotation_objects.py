"""Annotations as other programs send them, about given CT slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import (
    ExplicitVRLittleEndian,
    RTStructureSetStorage,
    generate_uid,
)

from inference.annotated import select_annotated
from inference.annotation_files import File, Summary, read, summarise
from inference.annotations import Annotation, Series
from inference.phantom import LesionKind, as_volume, chest, write_study
from inference.targets import Selection
from inference.volume import CtVolume

Mask = NDArray[np.bool_]
Points = Sequence[tuple[float, float, float]]
Group = (
    hd.sr.MeasurementsAndQualitativeEvaluations
    | hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations
    | hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations
)

WHEN = datetime(2026, 11, 24, 12, 0, 0)  # noqa: DTZ001 - DICOM's content date and time have no zone
NODULE = Code("27925004", "SCT", "Nodule")
LUNG = Code("39607008", "SCT", "Lung")
REJECTED = Code("113001", "DCM", "Rejected for Quality Reasons")
MANUAL = hd.seg.SegmentAlgorithmTypeValues.MANUAL
AUTOMATIC = hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC


@dataclass(frozen=True, eq=False)
class Case:
    """A coarse chest with one lesion, its files, and what annotations of it come to."""

    volume: CtVolume
    lungs: Mask
    lesion: Mask  # z, y, x
    files: tuple[Path, ...]
    slices: tuple[Dataset, ...]  # without pixels, from feet to head
    folder: Path  # for annotations

    @property
    def shown(self) -> tuple[int, ...]:
        return tuple(int(k) for k in np.flatnonzero(self.lesion.any(axis=(1, 2))))

    def file(self, ds: Dataset) -> File:
        path = self.folder / f"{ds.SOPInstanceUID}.dcm"
        ds.save_as(path, enforce_file_format=True)
        return File(path, str(ds.SOPInstanceUID), str(ds.SOPClassUID))

    def summary(self, ds: Dataset) -> Summary:
        return summarise(self.file(ds))

    def read(self, ds: Dataset, *, algorithms: bool = False) -> Annotation:
        series = Series(self.volume.series_instance_uid, str(self.slices[0].FrameOfReferenceUID))
        return read(self.file(ds), series, algorithms=algorithms)

    def select(self, *objects: Dataset) -> Selection:
        return select_annotated(self.volume, self.lungs, [self.read(ds) for ds in objects])


def case(folder: Path, *, pixels: int = 64, slice_mm: float = 15.0) -> Case:
    phantom = chest(
        seed=3,
        lesion=LesionKind.PIMA_LIKE,
        size_mm=50.0,
        pixels=pixels,
        pixel_mm=360.0 / pixels,
        slice_mm=slice_mm,
    )
    files = tuple(write_study(phantom, folder / "ct"))
    (folder / "annotations").mkdir()
    return Case(
        volume=as_volume(phantom),
        lungs=phantom.lungs,
        lesion=phantom.lesion,
        files=files,
        slices=tuple(dcmread(file, stop_before_pixels=True) for file in files),
        folder=folder / "annotations",
    )


def key_objects(
    slices: Sequence[Dataset], title: Code | None = None, observer: hd.sr.ObserverContext | None = None
) -> Dataset:
    """A Key Object Selection of whole objects; without `title`, of interest."""
    content = hd.ko.KeyObjectSelection(
        document_title=title or codes.DCM.OfInterest,
        referenced_objects=list(slices),
        observer_device_context=observer,
    )
    return hd.ko.KeyObjectSelectionDocument(
        evidence=list(slices),
        content=content,
        series_instance_uid=generate_uid(),
        series_number=20,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Another manufacturer",
    )


def device_observer() -> hd.sr.ObserverContext:
    return hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(uid=generate_uid()),
    )


def person_observer() -> hd.sr.ObserverContext:
    return hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(name="Reader^One"),
    )


def segmentation(
    slices: Sequence[Dataset],
    masks: Sequence[Mask],
    kinds: Sequence[Code] = (NODULE,),
    *,
    algorithm: hd.seg.SegmentAlgorithmTypeValues = MANUAL,
    form: hd.seg.SegmentationTypeValues = hd.seg.SegmentationTypeValues.BINARY,
) -> Dataset:
    """A segment for each mask (slices, rows, columns), on the grid of the slices."""
    by = hd.AlgorithmIdentificationSequence("Other", codes.DCM.ArtificialIntelligence, "1")
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Segment {number}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure
            if kind is NODULE
            else codes.SCT.AnatomicalStructure,
            segmented_property_type=kind,
            algorithm_type=algorithm,
            algorithm_identification=None if algorithm is MANUAL else by,
        )
        for number, kind in enumerate(kinds, start=1)
    ]
    pixels = np.stack([np.asarray(mask) for mask in masks], axis=-1).astype(np.uint8)
    if form is hd.seg.SegmentationTypeValues.LABELMAP:
        pixels = np.max(pixels * np.arange(1, len(masks) + 1), axis=-1).astype(np.uint8)
    return hd.seg.Segmentation(
        source_images=list(slices),
        pixel_array=pixels,
        segmentation_type=form,
        segment_descriptions=descriptions,
        series_instance_uid=generate_uid(),
        series_number=21,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Another manufacturer",
        manufacturer_model_name="Another model",
        software_versions="1",
        device_serial_number="1",
    )


def structure_set(
    ct: Dataset,
    regions: Sequence[tuple[str, str, Sequence[Points]]],
    *,
    geometric: str = "CLOSED_PLANAR",
    algorithm: str = "MANUAL",
) -> Dataset:
    """ROIs by name, interpreted type and contours in mm in the patient, in the frame of reference of `ct`."""
    ds = about(ct, RTStructureSetStorage, modality="RTSTRUCT")
    ds.StructureSetLabel = "ROIS"
    ds.StructureSetDate, ds.StructureSetTime = f"{WHEN:%Y%m%d}", f"{WHEN:%H%M%S}"
    ds.ReferencedFrameOfReferenceSequence = [
        _item(
            FrameOfReferenceUID=ct.FrameOfReferenceUID,
            RTReferencedStudySequence=[
                _item(RTReferencedSeriesSequence=[_item(SeriesInstanceUID=ct.SeriesInstanceUID)])
            ],
        )
    ]
    numbered = list(enumerate(regions, start=1))
    ds.StructureSetROISequence = [
        _item(
            ROINumber=number,
            ReferencedFrameOfReferenceUID=ct.FrameOfReferenceUID,
            ROIName=name,
            ROIGenerationAlgorithm=algorithm,
        )
        for number, (name, _, _) in numbered
    ]
    ds.ROIContourSequence = [
        _item(
            ReferencedROINumber=number,
            ContourSequence=[
                _item(
                    ContourGeometricType=geometric,
                    NumberOfContourPoints=len(points),
                    ContourData=[round(float(v), 3) for point in points for v in point],
                )
                for points in contours
            ],
        )
        for number, (_, _, contours) in numbered
    ]
    ds.RTROIObservationsSequence = [
        _item(
            ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType=kind, ROIInterpreter=""
        )
        for number, (_, kind, _) in numbered
    ]
    return ds


def report(
    slices: Sequence[Dataset],
    groups: Sequence[Group],
    observer: hd.sr.ObserverContext | None = None,
) -> Dataset:
    """A TID 1500 report by a person, unless another observer is given."""
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_person_context=observer or person_observer()),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=list(groups),
    )
    return hd.sr.Comprehensive3DSR(
        evidence=list(slices),
        content=content,
        series_instance_uid=generate_uid(),
        series_number=22,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Another manufacturer",
    )


def tracked(name: str = "nodule") -> hd.sr.TrackingIdentifier:
    return hd.sr.TrackingIdentifier(uid=generate_uid(), identifier=name)


def about(ct: Dataset, sop_class_uid: str, *, modality: str) -> Dataset:
    """An object of the patient and study of `ct` with nothing in it yet."""
    ds = Dataset()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID"):
        if keyword in ct:
            ds[keyword] = ct[keyword]
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, generate_uid()
    ds.SeriesInstanceUID, ds.Modality = generate_uid(), modality
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _item(**values: object) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds
