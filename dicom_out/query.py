"""What an archive has of a study, asked by C-FIND (Study Root, PS3.4 C.4.1)."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_out.association import NoConnection, Peer, Requestor, uncompressed

STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
MOST_ANSWERS = 20_000
PENDING = (0xFF00, 0xFF01)


class NoCounts(Exception):
    """The archive gives no answer that anything could be counted by."""


@dataclass(frozen=True)
class ArchivedSeries:
    """A CT series, and how many of its objects are such as the node takes."""

    series_instance_uid: str
    instances: int


def ct_series(
    study_instance_uid: str,
    here: Mapping[str, int],
    taken: Collection[str],
    peer: Peer,
    *,
    calling_ae_title: str,
    timeout_s: float,
) -> tuple[ArchivedSeries, ...]:
    """The CT series of the study. `here`: images of each that have come; `taken`: the SOP classes that count.

    A series with more than that, or without a number, is looked at image by image: dose screens stand in CT
    series too. Waits five times `timeout_s` at most. Raises NoCounts.
    """
    try:
        association = Requestor(calling_ae_title).open(peer, [uncompressed(STUDY_ROOT_FIND)], timeout_s)
    except NoConnection as error:
        raise NoCounts(str(error)) from error
    if not association.is_established:
        raise NoCounts(f"{peer.ae_title} does not take the association")
    try:
        find = partial(_find, association.send_c_find, time.monotonic() + timeout_s)
        return tuple(_counted(find, study_instance_uid, here, taken))
    except NoCounts:
        association.abort()
        raise
    finally:
        if association.is_established:
            association.release()


Find = Callable[[Dataset], Iterator[Dataset]]
Send = Callable[[Dataset, UID], Iterator[tuple[Dataset, Dataset | None]]]


def _counted(
    find: Find, study: str, here: Mapping[str, int], taken: Collection[str]
) -> Iterator[ArchivedSeries]:
    wanted = _identifier(
        "SERIES",
        StudyInstanceUID=study,
        SeriesInstanceUID="",
        Modality="",
        NumberOfSeriesRelatedInstances=None,
    )
    found = {_text(ds, "SeriesInstanceUID"): ds for ds in find(wanted)}
    for uid, ds in found.items():
        if not uid or _text(ds, "StudyInstanceUID") not in ("", study) or _text(ds, "Modality") != "CT":
            continue
        number = _number(ds)
        if number is None or number > here.get(uid, 0):
            number = _images(find, study, uid, taken)
        if number:
            yield ArchivedSeries(uid, number)


def _images(find: Find, study: str, series: str, taken: Collection[str]) -> int:
    wanted = _identifier(
        "IMAGE", StudyInstanceUID=study, SeriesInstanceUID=series, SOPInstanceUID="", SOPClassUID=""
    )
    found = {
        _text(ds, "SOPInstanceUID")
        for ds in find(wanted)
        if _text(ds, "SeriesInstanceUID") in ("", series) and _text(ds, "SOPClassUID") in ("", *taken)
    }
    return len(found - {""})


def _identifier(level: str, **keys: str | None) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def _find(send: Send, until: float, wanted: Dataset) -> Iterator[Dataset]:
    try:
        for count, (status, ds) in enumerate(send(wanted, STUDY_ROOT_FIND)):
            code = status.get("Status")
            if code == 0x0000:
                return
            if code is None:
                raise NoCounts("no valid response to C-FIND")
            if code not in PENDING or ds is None:
                raise NoCounts(f"C-FIND is answered {code:04X}")
            if count >= MOST_ANSWERS or time.monotonic() > until:
                raise NoCounts(f"C-FIND has no end: {count + 1} answers")
            yield ds
    except (ValueError, RuntimeError) as error:  # no context of the SOP class, or the association is over
        raise NoCounts("C-FIND cannot be sent on the association") from error


def _text(ds: Dataset, keyword: str) -> str:
    return str(ds.get(keyword) or "").strip()


def _number(ds: Dataset) -> int | None:
    try:
        number = int(ds.NumberOfSeriesRelatedInstances)
    except (AttributeError, TypeError, ValueError):
        return None
    return number if number >= 0 else None
