"""The room that is kept free on the disk: for results, the database and the log, when senders have filled the rest."""

import logging
import shutil
from pathlib import Path
from threading import Lock

log = logging.getLogger(__name__)


class NoRoom(Exception):
    """The disk is too full to take in more."""


class Watermark:
    """Asks the disk before every object; the log hears of it when it is crossed, down and up."""

    def __init__(self, folder: Path, minimum_free_bytes: int) -> None:
        self._folder = folder
        self._minimum = minimum_free_bytes
        self._is_below = False
        self._lock = Lock()

    def check(self) -> None:
        """Raises NoRoom where less than the minimum is free, OSError where the folder cannot be asked."""
        free = shutil.disk_usage(self._folder).free
        is_below = free < self._minimum
        with self._lock:
            has_crossed, self._is_below = is_below is not self._is_below, is_below
        if has_crossed:
            facts = {"free_bytes": free, "minimum_free_bytes": self._minimum}
            if is_below:
                log.error("disk nearly full, nothing is taken in", extra=facts)
            else:
                log.warning("disk has room again", extra=facts)
        if is_below:
            raise NoRoom(f"{free} bytes are free, fewer than storage.minimum_free_bytes ({self._minimum})")
