"""When a study counts as complete: C-STORE itself never says."""

from datetime import datetime, timedelta

from config.settings import Completion


def is_complete(rules: Completion, *, last_received_at: datetime, now: datetime) -> bool:
    """No image of any of its series has come for the quiet period."""
    return now - last_received_at >= timedelta(seconds=rules.quiet_period_s)
