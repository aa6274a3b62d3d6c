"""Finding what somebody did to the audit trail: walks it from the first row to the last and names every row at fault."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from db.audit import content_of, stored
from db.chain import BEGINS, Content, Earlier, Key
from db.models import AuditEvent, AuditHead
from db.session import Sessions

PAGE = 5000  # rows read in one transaction, so that a long look keeps nobody waiting


@dataclass(frozen=True)
class Head:
    """Which row was the newest, and its HMAC, as it was written down outside the database."""

    at: datetime
    row_id: int
    hmac: str


@dataclass(frozen=True)
class Fault:
    """What is wrong with the rows from `first` to `last`."""

    first: int
    last: int
    what: str

    def __str__(self) -> str:
        rows = f"row {self.first}" if self.first == self.last else f"rows {self.first} to {self.last}"
        return f"{rows}: {self.what}"


@dataclass(frozen=True)
class Verdict:
    rows: int
    faults: tuple[Fault, ...]


def verify(sessions: Sessions, key: Key, exported: Sequence[Head] = ()) -> Verdict:
    """Everything that is wrong with the trail, given its key and the heads that were exported."""
    walk = _Walk(key, {head.row_id: head for head in exported})
    last_id = -1
    while True:
        with sessions() as session:
            page = session.execute(stored().where(AuditEvent.id > last_id).limit(PAGE)).all()
            head = session.execute(select(AuditHead.__table__)).one_or_none()
        for row in page:
            walk.step(row)
        if len(page) < PAGE:
            break
        last_id = page[-1].id
    walk.end(head)
    return Verdict(walk.rows, tuple(_joined(sorted(walk.faults, key=lambda fault: fault.first))))


MISSING = "missing"
WITHOUT = "without an HMAC"


@dataclass
class _Walk:
    """What is known of the rows seen so far."""

    key: Key
    exported: Mapping[int, Head]
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    _earlier: Earlier = field(default_factory=Earlier)
    _begun: bool = False
    _last_id: int = 0
    _last_hmac: object = ""  # None after a row at fault, which says nothing of the next

    def step(self, row: Row[*tuple[Any, ...]]) -> None:
        content = content_of(row)
        self.rows += 1
        if self._begun or row.hmac is not None:
            self._link(row, content)
        else:
            self._earlier.add(row.id, content)
        self._last_id = row.id

    def _link(self, row: Row[*tuple[Any, ...]], content: Content) -> None:
        gap = row.id != self._last_id + 1
        if gap:
            self._blame(self._last_id + 1, row.id - 1, MISSING)
        if not self._begun:
            self._begin(content)
        what = self._wrong_with(row, content, after_gap=gap)
        if what:
            self._blame(row.id, row.id, what)
        self._last_hmac = None if what else row.hmac

    def _begin(self, content: Content) -> None:
        self._begun = True
        before = self._earlier
        if before.count and content.event != BEGINS:
            self._blame(before.first_id, before.last_id, WITHOUT)
        elif before.count and content.detail != before.words:
            self._blame(before.first_id, before.last_id, "changed, added or removed among them")
        self._last_hmac = None

    def _wrong_with(self, row: Row[*tuple[Any, ...]], content: Content, *, after_gap: bool) -> str:
        exported = self.exported.get(row.id)
        if row.hmac is None:
            return WITHOUT
        if row.hmac != self.key.of_row(content):
            return "changed, or written without the key"
        if exported is not None and exported.hmac != row.hmac:
            return f"not the row that was exported as the newest at {exported.at:%Y-%m-%d %H:%M:%S}"
        if not after_gap and self._last_hmac not in (None, content.previous_hmac):
            return "does not follow the row before it"
        return ""

    def end(self, head: Row[*tuple[Any, ...]] | None) -> None:
        """No more rows: is the newest one here?"""
        newest = self._last_id
        if self._earlier.count and not self._begun:
            self._blame(self._earlier.first_id, self._earlier.last_id, WITHOUT)
        if head is None:
            self._blame(newest, newest, "the record of which row is the newest is gone")
        elif head.key_name not in ("", self.key.name):
            self._blame(newest, newest, f"the trail is chained with another key, {head.key_name}")
        elif not head.key_name and not self._begun:
            pass  # there is no chain yet
        elif head.head_hmac != self.key.of_head(head.row_id, head.newest_hmac):
            self._blame(newest, newest, "the record of which row is the newest was changed")
        elif head.row_id < newest:
            self._blame(head.row_id + 1, newest, "after the newest row that was written")
        elif head.row_id > newest:
            self._blame(newest + 1, head.row_id, MISSING)
            newest = head.row_id
        furthest = max(self.exported, default=0)
        if furthest > newest:
            self._blame(newest + 1, furthest, MISSING)

    def _blame(self, first: int, last: int, what: str) -> None:
        self.faults.append(Fault(first, last, what))


def _joined(faults: Iterable[Fault]) -> Iterator[Fault]:
    """What is wrong with a row and the next alike, as one."""
    before: Fault | None = None
    for fault in faults:
        if before is not None and (before.last + 1, before.what) == (fault.first, fault.what):
            before = Fault(before.first, fault.last, fault.what)
            continue
        if before is not None:
            yield before
        before = fault
    if before is not None:
        yield before
