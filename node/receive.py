"""Taking in one object: known by its UIDs, durable on disk, then a row; only then is it acknowledged."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from db import instances, jobs, results, retention
from db.models import Instance
from db.session import Sessions, translated
from dicom_out.durable import write_durably
from inference.annotations import KINDS

CT_CLASSES = frozenset({CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage})
"""An object of these classes is an image to analyse and opens a job."""

ANNOTATION_CLASSES = frozenset(KINDS)
"""One of these may name slices: in a study with a job it opens the next generation, before that it waits."""

_UID = re.compile(r"(?=.{1,64}$)\d+(\.\d+)*")  # PS3.5 section 9; checked before a UID becomes part of a path


class NotStorable(Exception):
    """The bytes cannot be kept as a DICOM object."""


class NotASender(NotStorable):
    """The sender may talk to us, and not send images."""


class WrongObject(NotStorable):
    """The data set is not the object that the C-STORE command names."""


class OtherContent(NotStorable):
    """An object with this UID and other content is already here; the first is kept."""


@dataclass(frozen=True)
class Identity:
    """The UIDs of an object."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True)
class Arrival:
    """Where an object came from, and what the sender said that it is."""

    calling_ae_title: str
    sop_class_uid: str
    sop_instance_uid: str


def receive(content: bytes, arrival: Arrival, *, spool: Path, sessions: Sessions, now: datetime) -> Identity:
    """Keep `content`, a DICOM file with its file meta. Idempotent; durable when it returns.

    Raises NotStorable for content that cannot be kept, OSError or DatabaseUnusable when it cannot be kept now.
    """
    identity = identify(content)
    if (identity.sop_class_uid, identity.sop_instance_uid) != (
        arrival.sop_class_uid,
        arrival.sop_instance_uid,
    ):
        raise WrongObject("SOP class or instance UID differs from the command's")
    digest = hashlib.sha256(content).hexdigest()
    path = Path(identity.study_instance_uid) / f"{digest}.dcm"
    with translated():
        known = _is_known(identity, digest, sessions)
    if known is Known.OURS or (known is Known.HERE and (spool / path).exists()):
        return identity
    write_durably(content, spool / path)
    if known is Known.HERE:  # its file had gone
        with translated(), sessions.begin() as session:
            retention.came_again(session, identity.sop_instance_uid, now=now)
        return identity
    instance = Instance(
        sop_instance_uid=identity.sop_instance_uid,
        sop_class_uid=identity.sop_class_uid,
        study_instance_uid=identity.study_instance_uid,
        series_instance_uid=identity.series_instance_uid,
        sha256=digest,
        size_bytes=len(content),
        path=str(path),
        calling_ae_title=arrival.calling_ae_title,
        received_at=now,
    )
    with translated():
        try:
            _note(instance, sessions, now=now)
        except instances.AlreadyKnown:  # it came on another association at the same moment
            _keep_the_first(identity, digest, sessions, spool / path)
    return identity


def identify(content: bytes) -> Identity:
    """The UIDs of a DICOM file in memory, which must be whole."""
    try:
        ds = dcmread(BytesIO(content))
        identity = Identity(
            sop_class_uid=str(ds.SOPClassUID),
            sop_instance_uid=str(ds.SOPInstanceUID),
            study_instance_uid=str(ds.StudyInstanceUID),
            series_instance_uid=str(ds.SeriesInstanceUID),
        )
        missing = _missing_pixel_bytes(ds)
    except AttributeError as error:
        raise NotStorable(f"no {error.name or 'UID'}") from error
    except Exception as error:
        raise NotStorable(f"not a readable data set ({type(error).__name__})") from error
    for uid in (identity.sop_instance_uid, identity.study_instance_uid, identity.series_instance_uid):
        if not _UID.fullmatch(uid):
            raise NotStorable("a UID is not one: 1 to 64 digits and dots")
    if missing > 0:
        raise NotStorable(f"pixel data is {missing} bytes short")
    return identity


class Known(Enum):
    NOT_YET = auto()
    HERE = auto()
    OURS = auto()  # a PACS that routes everything sends our own results back


def _is_known(identity: Identity, digest: str, sessions: Sessions) -> Known:
    with sessions() as session:
        if results.is_ours(session, identity.sop_instance_uid):
            return Known.OURS
        instance = instances.known(session, identity.sop_instance_uid)
    if instance is not None and instance.sha256 != digest:
        raise OtherContent("this SOP Instance UID is known with other content; the first is kept")
    return Known.NOT_YET if instance is None else Known.HERE


def _keep_the_first(identity: Identity, digest: str, sessions: Sessions, ours: Path) -> None:
    try:
        _is_known(identity, digest, sessions)
    except OtherContent:
        ours.unlink(missing_ok=True)
        raise


def _note(instance: Instance, sessions: Sessions, *, now: datetime) -> None:
    with sessions.begin() as session:
        instances.add(session, instance)
        if instance.sop_class_uid in CT_CLASSES:
            jobs.image_arrived(session, instance.study_instance_uid, now=now)
        elif instance.sop_class_uid in ANNOTATION_CLASSES:
            jobs.annotation_arrived(session, instance.study_instance_uid, now=now)


def _missing_pixel_bytes(ds: Dataset) -> int:
    """How many bytes of uncompressed pixel data are not there (PS3.5 8.1.1); 0 for a whole image."""
    if ds.SOPClassUID not in CT_CLASSES:
        return 0
    if UID(ds.file_meta.TransferSyntaxUID).is_encapsulated:
        return 0 if ds.get("PixelData") else 1
    frames = int(ds.get("NumberOfFrames") or 1)
    expected = ds.Rows * ds.Columns * ds.get("SamplesPerPixel", 1) * frames * ds.BitsAllocated // 8
    return max(0, int(expected) - len(ds.get("PixelData") or b""))
