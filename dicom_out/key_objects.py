"""The key slices as a Key Object Selection (PS3.16 TID 2010) that names our device, and no person, as its author."""

from collections.abc import Iterator

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_out import codes
from dicom_out.capture import key_slices
from dicom_out.equipment import observer, taking_part
from dicom_out.header import SourceSeries
from dicom_out.identity import Kind, Provenance, ResultName
from dicom_out.references import slab, stand_in
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
    images = [stand_in(series[uid], ("Rows", "Columns")) for uid in uids]
    content = hd.ko.KeyObjectSelection(
        document_title=codes.FOR_RESEARCH,
        referenced_objects=images,
        observer_device_context=observer(analysis.classifier, provenance.installation_id),
        description=caution(analysis),
    )
    ds = hd.ko.KeyObjectSelectionDocument(
        evidence=images,
        content=content,
        series_instance_uid=name.uid(KeyObjectSelectionDocumentStorage, Kind.KEY_OBJECTS_SERIES),
        series_number=SERIES_NUMBER,
        sop_instance_uid=name.uid(KeyObjectSelectionDocumentStorage, Kind.KEY_OBJECTS),
        instance_number=1,
        series_description="AI RESEARCH key slices",
    )
    _conform(ds)
    stamp(ds, series.reference, provenance, taking_part(analysis, provenance.software_version))
    yield ds


def _conform(ds: Dataset) -> None:
    """TID 2010 wants no purpose of reference at an image, where highdicom writes (260753009, SCT, "Source")."""
    ds.ContinuityOfContent = "SEPARATE"
    for item in ds.ContentSequence:
        if item.ValueType == "IMAGE":
            del item.ConceptNameCodeSequence
