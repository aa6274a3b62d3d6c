"""How often the archive is asked."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from dicom_out.query import ArchivedSeries, NoCounts
from node.archive import Answer, Archive

WHOLE = (ArchivedSeries("1.1", 3),)


class Asked:
    """Counts what it is asked, and fails while it is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.studies: list[str] = []

    def __call__(self, study: str, _received: Mapping[str, int]) -> Answer:
        self.studies.append(study)
        if self.away:
            raise NoCounts("no connection")
        return WHOLE


def test_a_study_is_asked_about_again_when_more_has_come_or_after_a_while(now: datetime) -> None:
    ask = Asked()
    archive = Archive(ask)
    for seconds, images in ((0, 2), (1, 2), (2, 3), (3, 3), (6.9, 3), (7, 3), (16.9, 3), (17, 3)):
        assert archive.of_study("1", {"1.1": images}, now=now + timedelta(seconds=seconds)) == WHOLE
    assert len(ask.studies) == 4


def test_an_archive_that_is_away_is_asked_rarely_and_called_so_once(
    now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    ask = Asked(away=True)
    archive = Archive(ask)
    for second in range(3600):
        for study in ("1", "2", "3"):
            assert archive.of_study(study, {"1.1": 3}, now=now + timedelta(seconds=second)) is None
    assert len(ask.studies) < 12
    ask.away = False
    assert archive.of_study("4", {"1.1": 3}, now=now + timedelta(hours=2)) == WHOLE
    assert [r.message for r in caplog.records if r.levelname == "WARNING"] == ["archive does not answer"]


def test_an_answer_stands_while_the_archive_is_away_and_nothing_more_has_come(now: datetime) -> None:
    ask = Asked()
    archive = Archive(ask)
    archive.of_study("1", {"1.1": 3}, now=now)
    ask.away = True
    assert archive.of_study("1", {"1.1": 3}, now=now + timedelta(seconds=10)) == WHOLE
    assert archive.of_study("1", {"1.1": 4}, now=now + timedelta(seconds=100)) is None


def test_what_is_decided_is_forgotten(now: datetime) -> None:
    ask = Asked()
    archive = Archive(ask)
    archive.of_study("1", {"1.1": 3}, now=now)
    archive.note_gaps("1", {"1.1": 3}, {"1.1": "a gap"})
    assert archive.gaps("1", {"1.1": 3}) == {"1.1": "a gap"}
    assert archive.gaps("1", {"1.1": 4}) == {}
    archive.forget_others(set())
    archive.of_study("1", {"1.1": 3}, now=now)
    assert len(ask.studies) == 2
    assert archive.gaps("1", {"1.1": 3}) == {}
