"""The slices that a reader marks, as a Key Object Selection: for synthetic studies, whose reader is no person either."""

from collections.abc import Sequence
from datetime import datetime

from highdicom.sr.templates import ObserverContext, PersonObserverIdentifyingAttributes
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes as standard
from pydicom.uid import UID, ExplicitVRLittleEndian, KeyObjectSelectionDocumentStorage

from dicom_out.header import copy_patient_and_study
from dicom_out.identity import IMPLEMENTATION_CLASS_UID, derived_uid
from dicom_out.selection_document import selection_document

SERIES_NUMBER = 20
READER = "Synthetic^Reader"


def reader_selection(slices: Sequence[Dataset], *, at: datetime) -> Dataset:
    """Names `slices` of one study, at least one, in their order; the same slices and instant give the same bytes.

    It does not name our product as its equipment: the node takes it as what it stands for, a person's annotation.
    """
    marked = [str(ds.SOPInstanceUID) for ds in slices]
    ds = selection_document(
        standard.DCM.OfInterest,
        slices,
        author=_person(),
        description="Slices that show the target lesion. Synthetic.",
        sop_instance_uid=derived_uid("reader selection", at.isoformat(), *marked),
        series_instance_uid=derived_uid("reader selection series", at.isoformat(), *marked),
    )
    copy_patient_and_study(slices[0], ds)
    del ds.ContributingEquipmentSequence  # highdicom's own, which has the time of the clock
    ds.Manufacturer = "Synthetic"
    ds.ManufacturerModelName = "Synthetic reader"
    ds.SeriesNumber, ds.SeriesDescription = SERIES_NUMBER, "Target slices"
    for kind in ("InstanceCreation", "Series", "Content"):
        setattr(ds, f"{kind}Date", f"{at:%Y%m%d}")
        setattr(ds, f"{kind}Time", f"{at:%H%M%S}")
    ds.file_meta = _file_meta(ds)
    return ds


def _person() -> ObserverContext:
    """TID 1003."""
    return ObserverContext(
        observer_type=standard.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name=READER),
    )


def _file_meta(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = KeyObjectSelectionDocumentStorage
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = "SEDAS_PHANTOM"
    return meta
