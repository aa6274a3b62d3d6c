"""The arithmetic of the audit chain: what of a row is sealed, and with what. No SQL."""

import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

BEGINS = "chain begins"
"""The event of the first row with an HMAC."""


class Content(NamedTuple):
    """Everything of a row but its HMAC; `previous_hmac` is that of the row before."""

    id: object
    at: object
    job_id: object
    study_instance_uid: object
    event: object
    state_before: object
    state_after: object
    detail: object
    previous_hmac: object


def canonical(content: Content) -> bytes:
    """One JSON array in ASCII; whatever a database may hold has such a form, and no two values share one."""
    return json.dumps(content, separators=(",", ":"), default=_plain).encode("ascii")


def _plain(value: object) -> object:
    return instant(value) if isinstance(value, datetime) else [type(value).__name__, repr(value)]


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Key:
    """What the chain is made with; its secret shows in no trace and no log."""

    secret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Tells a key from another, and nothing else of it."""
        return self._hmac(b"name")[:16]

    def of_row(self, content: Content) -> str:
        return self._hmac(b"row" + canonical(content))

    def of_head(self, row_id: int, newest_hmac: str) -> str:
        """Over which row is the newest: who cuts the tail cannot make the one of an earlier row."""
        return self._hmac(b"head" + json.dumps([row_id, newest_hmac]).encode("ascii"))

    def _hmac(self, message: bytes) -> str:
        return hmac.new(self.secret, message, sha256).hexdigest()


class Earlier:
    """Rows from before the chain, added in order: how many, which, and a SHA-256 over them all."""

    def __init__(self) -> None:
        self.count = self.first_id = self.last_id = 0
        self._digest = sha256()

    def add(self, row_id: int, content: Content) -> None:
        self.first_id = self.first_id or row_id
        self.last_id = row_id
        self.count += 1
        self._digest.update(canonical(content) + b"\n")

    @property
    def words(self) -> str:
        """The detail of the row with which the chain begins."""
        return f"after {self.count} rows without an HMAC, their SHA-256 {self._digest.hexdigest()}"
