"""Taking in one object: its bytes as they come, known by its UIDs when it is whole, durable on disk, then a row; only then is it acknowledged."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from config.settings import Storage
from db.instances import Standing
from db.jobs import LostRace
from db.models import Instance
from node.identification import Header, Identity, NotStorable, identify, read_header
from node.recorder import Recorder
from node.revision import Change, change_between
from node.spool import HEAD_BYTES, SpoolFile

log = logging.getLogger(__name__)


class NotASender(NotStorable):
    """The sender may talk to us, and not send images."""


class WrongObject(NotStorable):
    """The data set is not the object that the C-STORE command names."""


class OtherContent(NotStorable):
    """An object with this UID and other pixels, or another document, is already here; the first is kept."""


@dataclass(frozen=True)
class Arrival:
    """Where an object came from, and what the sender said that it is."""

    calling_ae_title: str
    sop_class_uid: str
    sop_instance_uid: str


PutAside = Callable[[SpoolFile, Arrival, str], None]
"""Keeps, or drops, the file of what was refused for a reason."""


@dataclass(frozen=True)
class Reception:
    """Where objects come to: disk, database, and a place for what is refused."""

    storage: Storage
    recorder: Recorder
    put_aside: PutAside
    now: Callable[[], datetime]

    def begin(self, arrival: Arrival) -> "Incoming":
        """Raises OSError where the disk takes no file."""
        return Incoming(self, arrival)

    def receive(self, content: bytes, arrival: Arrival) -> Identity:
        """Take in a DICOM file that is whole; see `Incoming.keep`."""
        incoming = self.begin(arrival)
        incoming.write(content)
        return incoming.keep()


class Incoming:
    """A DICOM file on its way in, file meta first; `keep` or `drop` ends it."""

    def __init__(self, reception: Reception, arrival: Arrival) -> None:
        self._reception = reception
        self._arrival = arrival
        self._file = SpoolFile(reception.storage.incoming)
        self._header: Header | None = None

    def write(self, part: bytes | memoryview) -> None:
        """Raises OSError where the disk does not take it."""
        had_head = self._file.size >= HEAD_BYTES
        self._file.write(part)
        if self._file.size >= HEAD_BYTES and not had_head:
            self._header = read_header(self._file.head)  # while the sender sends the rest

    def drop(self) -> None:
        self._file.drop()

    def keep(self) -> Identity:
        """Durable when it returns, and idempotent.

        Raises NotStorable for content that cannot be kept, which is put aside; OSError, DatabaseUnusable or
        LostRace when it cannot be kept now.
        """
        try:
            self._file.sync()
            identity = identify(self._file, self._header)
            self._compare_with_command(identity)
            self._keep(identity)
        except NotStorable as error:
            self._reception.put_aside(self._file, self._arrival, str(error))
            raise
        except BaseException:
            if (
                not self._file.is_placed
            ):  # else there may be a row that was committed before the database went away
                self._file.drop()
            raise
        return identity

    def _compare_with_command(self, identity: Identity) -> None:
        named = self._arrival.sop_class_uid, self._arrival.sop_instance_uid
        if (identity.sop_class_uid, identity.sop_instance_uid) != named:
            raise WrongObject("SOP class or instance UID differs from the command's")

    def _keep(self, identity: Identity) -> None:
        digest, storage, recorder = self._file.sha256, self._reception.storage, self._reception.recorder
        path = Path(identity.study_instance_uid) / f"{digest}.dcm"
        self._file.place(storage.spool / path)
        instance = Instance(
            sop_instance_uid=identity.sop_instance_uid,
            sop_class_uid=identity.sop_class_uid,
            study_instance_uid=identity.study_instance_uid,
            series_instance_uid=identity.series_instance_uid,
            sha256=digest,
            size_bytes=self._file.size,
            path=str(path),
            calling_ae_title=self._arrival.calling_ae_title,
            received_at=self._reception.now(),
        )
        match recorder.record(instance):
            case Standing.OURS:
                self._file.drop()
            case Standing.OTHER:
                self._revise(instance)
            case Standing.HERE if not (storage.spool / path).exists():
                raise LostRace("deleted by retention at the same moment")

    def _revise(self, revised: Instance) -> None:
        """Take the place of the content that is known under this UID, if only the header differs."""
        recorder, spool = self._reception.recorder, self._reception.storage.spool
        known = recorder.known(revised.sop_instance_uid)
        change = change_between(spool / known.path, spool / revised.path)
        if change is Change.CONTENT:
            raise OtherContent("this SOP Instance UID is known with other content; the first is kept")
        recorder.revise(known, revised, is_another_identity=change is Change.IDENTITY)
        facts = {"sop_instance_uid": revised.sop_instance_uid, "sender": self._arrival.calling_ae_title}
        log.info("object revised", extra={**facts, "change": change.value})
