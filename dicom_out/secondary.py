"""What every Secondary Capture of ours has, whatever it shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from dicom_out.equipment import Device
from dicom_out.identity import Kind, ResultName
from dicom_out.references import pass_on_lossy_compression, reference, source_image
from dicom_out.render import Rgb
from dicom_out.stamp import stamp
from inference.findings import AlgorithmIdentity


@dataclass(frozen=True)
class Numbering:
    """Where a picture stands among the results."""

    series: Kind
    series_number: int
    kind: Kind
    number: int  # its instance number; with `kind` it names the picture


def secondary_capture(
    pixels: Rgb,
    numbering: Numbering,
    name: ResultName,
    source: Dataset,
    algorithms: Iterable[AlgorithmIdentity],
) -> Dataset:
    """An RGB picture about the patient and study of `source`. Its PatientOrientation is empty: unknown."""
    ds = hd.sc.SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=name.study_instance_uid,
        series_instance_uid=name.uid(SecondaryCaptureImageStorage, numbering.series),
        series_number=numbering.series_number,
        sop_instance_uid=name.uid(SecondaryCaptureImageStorage, numbering.kind, numbering.number),
        instance_number=numbering.number,
        manufacturer="",
        patient_orientation=("L", "P"),
    )
    ds.PatientOrientation = []
    stamp(ds, source, name.provenance, map(Device.of, algorithms))
    ds.BodyPartExamined = "CHEST"  # unpaired, so that no Laterality is asked for (PS3.3 C.7.3.1)
    ds.ConversionType = "WSD"  # workstation: made from the images, not scanned (PS3.3 C.8.6.1)
    ds.BurnedInAnnotation = "NO"  # nothing drawn identifies the patient (PS3.3 C.7.6.1)
    ds.RecognizableVisualFeatures = "NO"
    ds.LossyImageCompression = "00"
    ds.DateOfSecondaryCapture = ds.ContentDate
    ds.TimeOfSecondaryCapture = ds.ContentTime
    ds["PixelData"].VR = "OB"  # pydicom settles it only while it decodes everything anew
    return ds


def derive(ds: Dataset, sources: Sequence[Dataset], *, aligned: bool) -> None:
    """Say from which slices the picture was made, at least one, and whether it lies on them pixel by pixel."""
    ds.SourceImageSequence = [source_image(source, aligned=aligned) for source in sources]
    ds.ReferencedSeriesSequence = [_referenced_series(sources)]
    pass_on_lossy_compression(sources, ds)


def _referenced_series(sources: Sequence[Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = sources[0].SeriesInstanceUID
    item.ReferencedInstanceSequence = [reference(source) for source in sources]
    return item
