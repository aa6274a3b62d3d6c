"""Jobs whose worker fell silent: back to the queue, or given up when they keep killing workers."""

import logging
from datetime import datetime

from config.settings import Worker
from db import jobs
from db.session import Sessions
from db.states import Event

log = logging.getLogger(__name__)


def expire_leases(sessions: Sessions, rules: Worker, *, now: datetime) -> None:
    with sessions.begin() as session:
        for job in jobs.with_lost_lease(session, now=now):
            reason = f"{job.lease_owner} has been silent for {rules.lease_s:g} s in attempt {job.attempts}"
            event = Event.GAVE_UP if job.attempts >= rules.maximum_losses else Event.LEASE_LOST
            jobs.advance(session, job, event, now=now, detail=reason, reason=reason)
            log.warning("lease lost", extra={"job": job.id, "reason": reason})
