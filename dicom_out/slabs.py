"""What a multi-frame object needs to lie on the slices it shows: one frame for each slab, placed on its middle slice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from dicom_out.header import SourceSeries
from dicom_out.references import pass_on_lossy_compression, slab, source_image, stand_in
from inference.findings import ScoredSlice


@dataclass(frozen=True)
class Slabs:
    """The slabs of some scored slices, in their order."""

    shown: dict[str, list[Dataset]]  # headers, that of the slice shown first, by its SOP Instance UID
    planes: dict[str, Dataset]  # what highdicom places a frame by, of every slice of a slab

    @classmethod
    def of(cls, slices: Sequence[ScoredSlice], series: SourceSeries) -> "Slabs":
        shown = {scored.sop_instance_uid: slab(scored, series) for scored in slices}
        thickness_mm = _thickness_mm(series)
        planes = {
            str(ds.SOPInstanceUID): _plane(ds, series.reference, thickness_mm)
            for sources in shown.values()
            for ds in sources
        }
        return cls(shown, planes)

    @property
    def middles(self) -> list[Dataset]:
        return [self.planes[uid] for uid in self.shown]

    @property
    def others(self) -> list[Dataset]:
        return [plane for uid, plane in self.planes.items() if uid not in self.shown]

    def refer(self, ds: Dataset) -> None:
        """Each frame names the slice it lies on first, and then the others of its slab."""
        pass_on_lossy_compression((source for sources in self.shown.values() for source in sources), ds)
        for frame in ds.PerFrameFunctionalGroupsSequence:
            derivation = frame.DerivationImageSequence[0]
            plane = str(derivation.SourceImageSequence[0].ReferencedSOPInstanceUID)
            derivation.SourceImageSequence = [
                source_image(source, aligned=True) for source in self.shown[plane]
            ]


def name_dimensions(ds: Dataset, uid: str) -> None:
    """In place of the random UID of highdicom."""
    for item in (*ds.DimensionOrganizationSequence, *ds.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _thickness_mm(series: SourceSeries) -> float:
    """Of a slice; where the images leave it out (Type 2 there, Type 1C here), from one slice to the next."""
    if stated := series.reference.get("SliceThickness"):
        return float(stated)
    along_row, along_column = np.reshape(series.reference.ImageOrientationPatient, (2, 3)).astype(float)
    normal = np.cross(along_row, along_column)
    heights = [np.dot(normal, np.asarray(ds.ImagePositionPatient, float)) for ds in series.by_uid.values()]
    return round(float(np.median(np.diff(np.sort(heights)))), 3)


def _plane(source: Dataset, reference: Dataset, thickness_mm: float) -> Dataset:
    """What highdicom places a frame by. It wants one orientation to the last digit, so all take that of one slice."""
    plane = stand_in(source, ("Rows", "Columns", "ImagePositionPatient"))
    plane.FrameOfReferenceUID = reference.FrameOfReferenceUID
    plane.PixelSpacing = reference.PixelSpacing
    plane.ImageOrientationPatient = reference.ImageOrientationPatient
    plane.SliceThickness = thickness_mm
    plane.PositionReferenceIndicator = reference.get("PositionReferenceIndicator")
    return plane
