import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from node.watermark import NoRoom, Watermark


def test_crossing_is_told_once_each_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watermark = Watermark(tmp_path, 1000)
    refused = []
    for free in (1000, 999, 500, 2000, 3000):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        try:
            with caplog.at_level(logging.WARNING):
                watermark.check()
        except NoRoom:
            refused.append(free)
    assert refused == [999, 500]
    assert [r.getMessage() for r in caplog.records] == [
        "disk nearly full, nothing is taken in",
        "disk has room again",
    ]


def test_the_disk_itself_is_asked(tmp_path: Path) -> None:
    Watermark(tmp_path, 0).check()
    with pytest.raises(NoRoom, match="bytes are free, fewer than"):
        Watermark(tmp_path, 1 << 60).check()
