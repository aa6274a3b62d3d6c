"""The rows of received objects: those that come on several associations at once share a transaction, and its wait for the disk."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from threading import Lock

from db import instances, jobs, retention
from db.instances import AlreadyKnown, Standing
from db.jobs import LostRace
from db.kept import ConnectionLost, KeptConnection
from db.models import Instance
from db.session import DatabaseUnusable, Session, Sessions, translated
from node.classes import ANNOTATION_CLASSES, CT_CLASSES

Entry = tuple[Instance, "Future[Standing]"]


class _JobToOpen(Exception):
    """An image is of a study whose job does not take in what comes."""


class Recorder:
    """Whoever comes while a transaction is being committed waits, and goes with all others into the next."""

    def __init__(
        self, sessions: Sessions, now: Callable[[], datetime], kept: KeptConnection | None = None
    ) -> None:
        self._sessions = sessions
        self._now = now
        self._kept = kept
        self._coming: list[Entry] = []
        self._adding = Lock()
        self._writing = Lock()

    def record(self, instance: Instance) -> Standing:
        """What the object is to us; a NEW one is a row when this returns. Raises DatabaseUnusable or LostRace."""
        future: Future[Standing] = Future()
        with self._adding:
            self._coming.append((instance, future))
        with self._writing:
            if not future.done():
                with self._adding:
                    batch, self._coming = self._coming, []
                self._write(batch)
        return future.result()

    def known(self, sop_instance_uid: str) -> Instance:
        """The row of an object that is here. Raises LostRace where it is not, or no longer."""
        with translated(), self._sessions() as session:
            instance = instances.known(session, sop_instance_uid)
        if instance is None:
            raise LostRace("an object that was known is no longer here")
        return instance

    def revise(self, known: Instance, revised: Instance, *, is_another_identity: bool) -> None:
        """Put `revised` in the place of `known`, which stays as a former revision; raises LostRace.

        A job that has not started looks again, and one that has is followed by the next generation if the
        study or its patient is another now.
        """
        now = self._now()
        with self._writing, translated(), self._sessions.begin() as session:
            instances.revise(session, known, revised, now=now)
            for study in dict.fromkeys((known.study_instance_uid, revised.study_instance_uid)):
                is_new_place = is_another_identity and study == revised.study_instance_uid
                if is_new_place or jobs.is_undecided(session, study):
                    jobs.image_arrived(session, study, now=now, detail="a revised object")

    def _write(self, batch: Sequence[Entry]) -> None:
        """Images are taken for new ones until the database says otherwise: they nearly always are."""
        arrived = [instance for instance, _ in batch]
        are_images = all(instance.sop_class_uid in CT_CLASSES for instance in arrived)
        try:
            if are_images and self._add(arrived):
                standings = [Standing.NEW] * len(arrived)
            else:
                standings = self._record(arrived, are_new=are_images)
        except AlreadyKnown:
            self._write_one_by_one(batch)
        except (DatabaseUnusable, LostRace) as error:
            _refuse(batch, error)
        except BaseException as error:
            _refuse(batch, error)
            raise
        else:
            for (_, future), standing in zip(batch, standings, strict=True):
                future.set_result(standing)

    def _write_one_by_one(self, batch: Sequence[Entry]) -> None:
        for instance, future in batch:
            try:
                (standing,) = self._record([instance], are_new=False)
                future.set_result(standing)
            except (AlreadyKnown, DatabaseUnusable, LostRace) as error:
                future.set_exception(LostRace(str(error)) if isinstance(error, AlreadyKnown) else error)

    def _add(self, new: Sequence[Instance]) -> bool:
        """Make rows of new images whose studies are being received, as nearly all are; else False, and `_record` is to do it."""
        if self._kept is None:
            return False
        try:
            with self._kept.begin() as connection:
                instances.add(connection, new)
                if not all(jobs.is_receiving(connection, study) for study in _studies(new)):
                    raise _JobToOpen
        except (_JobToOpen, ConnectionLost):
            return False
        return True

    def _record(self, arrived: Sequence[Instance], *, are_new: bool) -> list[Standing]:
        with translated(), self._sessions.begin() as session:
            found = [Standing.NEW] * len(arrived) if are_new else instances.standings(session, arrived)
            new = [i for i, standing in zip(arrived, found, strict=True) if standing is Standing.NEW]
            for instance, standing in zip(arrived, found, strict=True):
                if standing is Standing.HERE:
                    retention.came_again(session, instance.sop_instance_uid, now=self._now())
            if new:
                instances.add(session.connection(), new)
                _open_jobs(session, new, now=self._now())
        return found


def _refuse(batch: Sequence[Entry], error: BaseException) -> None:
    for _, future in batch:
        future.set_exception(error)


def _open_jobs(session: Session, new: Sequence[Instance], *, now: datetime) -> None:
    """Have the jobs of their studies know of them."""
    for study in _studies(i for i in new if i.sop_class_uid in CT_CLASSES):
        if not jobs.is_receiving(session.connection(), study):
            jobs.image_arrived(session, study, now=now)
    for study in _studies(i for i in new if i.sop_class_uid in ANNOTATION_CLASSES):
        jobs.annotation_arrived(session, study, now=now)


def _studies(new: Iterable[Instance]) -> Iterable[str]:
    """Each once, in their order, in which everybody locks their jobs."""
    return dict.fromkeys(instance.study_instance_uid for instance in new)
