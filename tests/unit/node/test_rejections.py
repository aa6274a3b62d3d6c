"""Rejected associations in the audit trail."""

from datetime import datetime, timedelta

import pytest

from db import audit
from db.session import Sessions
from node.rejections import MOST, Rejections, caller_of


def _rows(sessions: Sessions) -> list[str]:
    with sessions() as session:
        return [row.detail for row in audit.trail(session) if row.event == "association rejected"]


def test_a_caller_is_noted_once_in_an_hour(sessions: Sessions, now: datetime) -> None:
    clock = [now]
    rejections = Rejections(sessions, lambda: clock[0])
    for minutes in (0, 59, 60):
        clock[0] = now + timedelta(minutes=minutes)
        rejections.note("CT", "192.0.2.7", "SEDAS")
        rejections.note("CT", "192.0.2.8", "SEDAS")
    assert _rows(sessions) == [f"192.0.2.{n}: CT called SEDAS" for n in (7, 8)] * 2


def test_many_callers_do_not_fill_the_trail(
    sessions: Sessions, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.rejections.MOST", 3)
    assert MOST == 100
    rejections = Rejections(sessions, lambda: now)
    for n in range(10):
        rejections.note(f"CT{n}", "192.0.2.7", "SEDAS")
    assert len(_rows(sessions)) == 3


@pytest.mark.parametrize("address", ["192.0.2.7", "fd00::7"])
def test_title_and_address_are_found_again(address: str) -> None:
    assert caller_of(f"{address}: A CALLER called SEDAS") == ("A CALLER", address)
