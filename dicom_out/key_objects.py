"""The key slices as a Key Object Selection (PS3.16 TID 2010) that names our device, and no person, as its author."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_out import codes
from dicom_out.capture import key_slices
from dicom_out.equipment import Device, observer, taking_part
from dicom_out.header import SourceSeries
from dicom_out.identity import Kind, Provenance, ResultName
from dicom_out.references import slab
from dicom_out.selection_document import selection_document
from dicom_out.stamp import stamp
from dicom_out.statements import caution
from inference.findings import Analysis

SERIES_NUMBER = 9004


def key_object_selections(
    analysis: Analysis, series: SourceSeries, provenance: Provenance
) -> Iterator[Dataset]:
    """One document that names all source slices of the key slices; none where there is no key slice."""
    uids = dict.fromkeys(str(ds.SOPInstanceUID) for s in key_slices(analysis) for ds in slab(s, series))
    if not uids:
        return
    name = ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance)
    ds = selection_document(
        codes.FOR_RESEARCH,
        [series[uid] for uid in uids],
        author=observer(Device.of(analysis.classifier), provenance.installation_id),
        description=caution(analysis),
        sop_instance_uid=name.uid(KeyObjectSelectionDocumentStorage, Kind.KEY_OBJECTS),
        series_instance_uid=name.uid(KeyObjectSelectionDocumentStorage, Kind.KEY_OBJECTS_SERIES),
    )
    ds.SeriesNumber = SERIES_NUMBER
    ds.SeriesDescription = "AI RESEARCH key slices"
    stamp(ds, series.reference, provenance, taking_part(analysis, provenance.software_version))
    yield ds
