"""How a result refers to the images it was made from."""

from collections.abc import Iterable

from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset

from dicom_out import codes
from dicom_out.header import TYPE_2, SourceSeries, copy
from inference.findings import ScoredSlice

_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def slab(scored: ScoredSlice, series: SourceSeries) -> list[Dataset]:
    """The headers of the source slice it shows and then of the others that were averaged into it."""
    return [series[uid] for uid in dict.fromkeys((scored.sop_instance_uid, *scored.source_uids))]


def reference(ds: Dataset) -> Dataset:
    """PS3.3 table 10-11."""
    item = Dataset()
    item.ReferencedSOPClassUID = ds.SOPClassUID
    item.ReferencedSOPInstanceUID = ds.SOPInstanceUID
    return item


def source_image(source: Dataset, *, aligned: bool) -> Dataset:
    """An item of the Source Image Sequence; `aligned` if what is made from it lies on its grid (PS3.3 C.7.6.16.2.6)."""
    item = reference(source)
    item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(codes.SOURCE_IMAGE)]
    item.SpatialLocationsPreserved = "YES" if aligned else "NO"
    return item


def pass_on_lossy_compression(sources: Iterable[Dataset], ds: Dataset) -> None:
    """What was lossy stays so in all that is made from it (PS3.3 C.7.6.1.1.5)."""
    ds.LossyImageCompression = "00"
    lossy = next((source for source in sources if source.get("LossyImageCompression") == "01"), None)
    if lossy is not None:
        copy(lossy, ds, _LOSSY)


def stand_in(ds: Dataset, keywords: Iterable[str] = ()) -> Dataset:
    """An object's identity without its header: highdicom refuses odd values, and `stamp` copies the real ones."""
    identity = Dataset()
    for keyword in TYPE_2:
        setattr(identity, keyword, None)
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", *keywords):
        setattr(identity, keyword, ds[keyword].value)
    return identity
