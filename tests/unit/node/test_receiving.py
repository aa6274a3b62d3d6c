"""What is done beside reception fails without a loss."""

from datetime import datetime
from pathlib import Path

import pytest

from db.session import Session, Sessions, connect
from node.receiving import note_released


def test_a_release_that_cannot_be_noted_is_logged_without_its_studies(
    tmp_path: Path, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'without_tables.sqlite'}")
    note_released(Sessions(engine, class_=Session), lambda: now, {"1.2.3"})
    engine.dispose()
    [record] = caplog.records
    assert (record.getMessage(), record.__dict__["studies"]) == ("release not noted", 1)
    assert "1.2.3" not in str(record.__dict__)
