"""A Key Object Selection document (PS3.3 A.35.4, PS3.16 TID 2010), whatever it selects and for what."""

from collections.abc import Sequence

import highdicom as hd
from highdicom.sr.templates import ObserverContext
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from dicom_out.references import stand_in


def selection_document(
    title: Code,
    objects: Sequence[Dataset],
    *,
    author: ObserverContext,
    description: str,
    sop_instance_uid: str,
    series_instance_uid: str,
) -> Dataset:
    """Names `objects` of one study, at least one, in their order, and lists them and nothing else as evidence.

    What is an image is named as IMAGE, anything else as COMPOSITE. It has neither the patient nor the study yet.
    """
    by_person = author.observer_type == standard.DCM.Person
    evidence = [stand_in(ds, ("Rows", "Columns") if "Rows" in ds else ()) for ds in objects]
    ds = hd.ko.KeyObjectSelectionDocument(
        evidence=evidence,
        content=hd.ko.KeyObjectSelection(
            document_title=title,
            referenced_objects=evidence,
            observer_person_context=author if by_person else None,
            observer_device_context=None if by_person else author,
            description=description,
        ),
        series_instance_uid=series_instance_uid,
        series_number=1,
        sop_instance_uid=sop_instance_uid,
        instance_number=1,
    )
    ds.ContinuityOfContent = "SEPARATE"
    for (
        item
    ) in ds.ContentSequence:  # highdicom gives them the purpose "Source", which TID 2010 row 8 does not have
        if item.ValueType in ("IMAGE", "COMPOSITE"):
            del item.ConceptNameCodeSequence
    return ds
