"""Key Object Selection documents (PS3.3 A.35.4, PS3.16 TID 2010): slices by reference, and rejection notes."""

from pydicom.dataset import Dataset

from inference.annotations import Unusable
from inference.marks.content_tree import below, first_code, referenced

REJECTION_TITLES = frozenset({"113001", "113037", "113038", "113039"})
"""Quality, patient safety, wrong worklist entry, retention expired (IHE RAD IOCM; PS3.16 CID 7011)."""

_SELECTION_TITLES = frozenset(
    {
        "113000",  # Of Interest
        "113002",  # For Referring Provider
        "113003",  # For Surgery
        "113005",  # For Conference
        "113006",  # For Therapy
        "113020",  # For Report Attachment
        "128203",  # For Tumor Board
    }
)
"""Titles (PS3.16 CID 7010) with which images are picked for what they show.

The others say how good images are (Best In Set, Quality Issue), what a set is for whatever it shows (For Teaching,
Research, Patient, Peer Review, Printing, Litigation, Trial), that it is complete (Manifest), or are of radiotherapy.
"""


def title(ds: Dataset) -> str:
    """The code of its title, empty if that is no code of DICOM."""
    code, scheme = first_code(ds, "ConceptNameCodeSequence")
    return code if scheme == "DCM" else ""


def withdrawn(ds: Dataset) -> frozenset[str]:
    """The SOP Instance UIDs that it withdraws, if it is a rejection note."""
    return frozenset(_named(ds)) if title(ds) in REJECTION_TITLES else frozenset()


def selection(ds: Dataset) -> tuple[str, ...]:
    """The SOP Instance UIDs of the slices that it names."""
    if title(ds) in REJECTION_TITLES:
        raise Unusable("it is a rejection note")
    if title(ds) not in _SELECTION_TITLES:
        raise Unusable("its document title does not say that the images show a lesion")
    named = _named(ds)
    if not named:
        raise Unusable("it names no image")
    return named


def _named(ds: Dataset) -> tuple[str, ...]:
    """In the order of the document, each once."""
    uids = (str(sop.ReferencedSOPInstanceUID) for item in below(ds) for sop in referenced(item))
    return tuple(dict.fromkeys(uids))
