"""A clock that was set back: what was to happen by it happens all the same.

One that was set forward needs nothing: what waits is due, and a lease that ran out early costs an attempt.
"""

import logging
from datetime import datetime, timedelta

from config.settings import Settings
from db import clock
from db.session import Sessions
from node.retry import LONGEST_RETRY

log = logging.getLogger(__name__)

MARGIN = timedelta(minutes=1)  # by which the clocks of several machines may differ


def mend_clock(sessions: Sessions, settings: Settings, *, now: datetime) -> None:
    """A tick."""
    rules = settings.delivery
    with sessions.begin() as session:
        rows = clock.bring_back(
            session,
            now=now,
            margin=MARGIN,
            lease=timedelta(seconds=settings.worker.lease_s),
            attempt=LONGEST_RETRY,
            delivery=timedelta(seconds=max(rules.longest_retry_s, rules.commitment_answer_s)),
        )
    if rows:
        log.error("clock set back", extra={"rows": rows})
