"""Rejected associations as rows of the audit trail, so few of them that nobody fills the disk by knocking."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from db import audit
from db.session import DatabaseUnusable, Sessions, translated

log = logging.getLogger(__name__)

REJECTED = "association rejected"
"""The audit event; its detail reads `ADDRESS: TITLE called TITLE`."""

PERIOD = timedelta(hours=1)
MOST = 100  # rows in a period; the log has them all


class Rejections:
    """Notes a caller once in a period, by title and address."""

    def __init__(self, sessions: Sessions, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._now = now
        self._since = datetime.min.replace(tzinfo=now().tzinfo)
        self._noted: set[str] = set()
        self._lock = Lock()

    def note(self, sender: str, address: str, called: str) -> None:
        now, caller = self._now(), f"{address}: {sender} called {called}"
        with self._lock:
            if now - self._since >= PERIOD:
                self._since = now
                self._noted.clear()
            if caller in self._noted or len(self._noted) >= MOST:
                return
            self._noted.add(caller)
        try:
            with translated(), self._sessions.begin() as session:
                audit.note(session, None, REJECTED, now=now, detail=caller)
        except DatabaseUnusable as error:
            log.warning("rejection not noted", extra={"reason": str(error)})


def caller_of(detail: str) -> tuple[str, str]:
    """AE title and address of the caller."""
    address, _, titles = detail.partition(": ")
    return titles.partition(" called ")[0], address
