"""Jobs whose worker fell silent: back to the queue, or given up when they keep killing workers."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from config.settings import Worker
from db import jobs
from db.session import DatabaseAway, Sessions, installation_id, translated
from db.states import Event

log = logging.getLogger(__name__)


def expire_leases(sessions: Sessions, rules: Worker, *, now: datetime) -> None:
    with sessions.begin() as session:
        for job in jobs.with_lost_lease(session, now=now):
            reason = f"{job.lease_owner} has been silent for {rules.lease_s:g} s in attempt {job.attempts}"
            event = Event.GAVE_UP if job.attempts >= rules.maximum_losses else Event.LEASE_LOST
            jobs.advance(session, job, event, now=now, detail=reason, reason=reason)
            log.warning("lease lost", extra={"job": job.id, "reason": reason})


class LeaseWatch:
    """Expires leases, but when the database was away it first gives workers the time of one to be heard again."""

    def __init__(self, sessions: Sessions, rules: Worker, now: Callable[[], datetime]) -> None:
        self._sessions = sessions
        self._rules = rules
        self._now = now
        self._is_away = False
        self._patient_until = now()

    def look(self) -> None:
        now = self._now()
        try:
            with translated():
                if self._is_away:
                    self._ask_database()
                    self._is_away = False
                    self._patient_until = now + timedelta(seconds=self._rules.lease_s)
                if now >= self._patient_until:
                    expire_leases(self._sessions, self._rules, now=now)
        except DatabaseAway:
            self._is_away = True
            raise

    def _ask_database(self) -> None:
        with self._sessions() as session:
            installation_id(session)
