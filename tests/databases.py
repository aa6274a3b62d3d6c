"""Databases whose audit trail has a key, as those of a running node have."""

from datetime import UTC, datetime

from db import audit
from db.chain import Key
from db.session import Sessions, open_database

KEY = Key(bytes(range(32)))
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


def opened(url: str) -> Sessions:
    sessions = open_database(url)
    audit.begin(sessions, KEY, now=BEGUN)
    return sessions
