"""The rejection note that withdraws results of ours (IHE RAD TF-3 4.66, Imaging Object Change Management).

It is a Key Object Selection whose title says why. Archives take what its evidence lists as rejected, so that it
lists exactly the withdrawn objects. Retention is an archive's own affair: no note of ours speaks of it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_out import codes
from dicom_out.equipment import Device, observer
from dicom_out.identity import Kind, ResultName, node_device_uid
from dicom_out.selection_document import selection_document
from dicom_out.stamp import stamp
from dicom_out.statements import WITHDRAWN

SERIES_NUMBER = 9005


class Reason(StrEnum):
    """Why results are withdrawn."""

    QUALITY = "quality"
    PATIENT_SAFETY = "patient_safety"

    @property
    def document_title(self) -> Code:
        match self:
            case Reason.QUALITY:
                return codes.REJECTED_FOR_QUALITY
            case Reason.PATIENT_SAFETY:
                return codes.REJECTED_FOR_PATIENT_SAFETY


class NotOurResult(ValueError):
    """What this node has not made, or made of another study, is not its to withdraw."""


def rejection_note(
    objects: Sequence[Dataset], reason: Reason, name: ResultName, at: datetime, software_version: str
) -> Dataset:
    """The note that `objects`, as read from the outbox, are withdrawn at the instant `at`.

    They are of the result `name`, at least one, in any order; patient and study are copied from one of them.
    `software_version` is that of the program that writes the note. Raises NotOurResult, and NaiveInstant for an
    instant without its offset from UTC.
    """
    # images first, as in the rows of TID 2010
    rejected = sorted(objects, key=lambda ds: ("Rows" not in ds, str(ds.SOPInstanceUID)))
    _refuse_others(rejected, name)
    note = _of_the_note(name, rejected, reason, at, software_version)
    installation_id = name.provenance.installation_id
    node = Device.of_node(installation_id, software_version)
    ds = selection_document(
        reason.document_title,
        rejected,
        author=observer(node, installation_id),
        description=WITHDRAWN,
        sop_instance_uid=note.uid(KeyObjectSelectionDocumentStorage, Kind.REJECTION),
        series_instance_uid=note.uid(KeyObjectSelectionDocumentStorage, Kind.REJECTION_SERIES),
    )
    ds.SeriesNumber = SERIES_NUMBER
    ds.SeriesDescription = "AI RESEARCH rejection note"
    stamp(ds, rejected[0], note.provenance, [node])
    return ds


def _refuse_others(objects: Sequence[Dataset], name: ResultName) -> None:
    if not objects:
        raise NotOurResult("no object is named")
    ours = node_device_uid(name.provenance.installation_id)
    for ds in objects:
        if ds.get("DeviceUID") != ours:
            raise NotOurResult(f"{ds.SOPInstanceUID} was not made by this node")
        if ds.get("StudyInstanceUID") != name.study_instance_uid:
            raise NotOurResult(f"{ds.SOPInstanceUID} is not of study {name.study_instance_uid}")


def _of_the_note(
    name: ResultName, rejected: Sequence[Dataset], reason: Reason, at: datetime, software_version: str
) -> ResultName:
    """The name of the note: its digest covers what it withdraws, why and when, beside the result's own."""
    facts = (
        name.provenance.result_digest,
        [str(ds.SOPInstanceUID) for ds in rejected],
        reason,
        at.astimezone(UTC).isoformat(),
        software_version,
    )
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    provenance = replace(
        name.provenance, result_digest=digest, at=at, software_version=software_version, predecessor=None
    )
    return replace(name, provenance=provenance)
