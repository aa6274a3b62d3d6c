"""Everything that takes in what peers send, in this process: built here from the settings."""

import logging
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial

from pydicom.dataset import Dataset

from config.settings import Settings
from db import jobs, refusals
from db.kept import KeptConnection
from db.session import DatabaseUnusable, Sessions, translated
from node import scp
from node.commitments import hear
from node.quarantine import put_aside
from node.receive import Arrival, Incoming, Reception
from node.recorder import Recorder
from node.rejections import Rejections
from node.spool import SpoolFile
from node.watermark import Watermark

log = logging.getLogger(__name__)


def reception(
    settings: Settings,
    sessions: Sessions,
    now: Callable[[], datetime],
    kept: KeptConnection | None = None,
) -> Reception:
    """Into the storage folder; what is refused is quarantined."""

    def refuse(file: SpoolFile, arrival: Arrival, reason: str) -> None:
        put_aside(file, arrival, reason, settings, sessions, now=now())

    return Reception(settings.storage, Recorder(sessions, now, kept), refuse, now)


@contextmanager
def receiving(
    settings: Settings, sessions: Sessions, listener: socket.socket, now: Callable[[], datetime]
) -> Iterator[int]:
    """Accept from `listener`, which others may do too, while the block runs; gives its port."""
    watermark = Watermark(settings.storage.folder, settings.storage.minimum_free_bytes)

    kept = KeptConnection(sessions)
    into = reception(settings, sessions, now, kept)

    def begin(arrival: Arrival) -> Incoming:
        watermark.check()
        return into.begin(arrival)

    def report(event_type: int | None, information: Dataset, sender: str) -> int:
        return hear(sessions, settings.delivery, event_type, information, sender, now=now())

    def count_refusal(status: int) -> None:
        try:
            with translated():
                refusals.count(sessions, status)
        except DatabaseUnusable as error:
            log.warning("refusal not counted", extra={"status": status, "reason": str(error)})

    reporters = [d.ae_title for d in settings.delivery.destinations if d.commitment]
    with (
        closing(kept),
        scp.listening(
            settings.listener,
            begin,
            listener=listener,
            reporting=scp.Reporting(reporters, report),
            alarm=Rejections(sessions, now).note,
            refused=count_refusal,
            released=partial(note_released, sessions, now),
        ) as port,
    ):
        yield port


def note_released(sessions: Sessions, now: Callable[[], datetime], studies: Collection[str]) -> None:
    """A sender of these studies is done; where that cannot be written down, they wait a little longer."""
    try:
        with translated(), sessions.begin() as session:
            jobs.sender_released(session, studies, now=now())
    except DatabaseUnusable as error:
        log.warning("release not noted", extra={"studies": len(studies), "reason": str(error)})
