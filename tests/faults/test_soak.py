"""A short soak, and what is written of one."""

from pathlib import Path

import pytest

from tests.databases import Database
from tests.faults.reckoning import Toll
from tests.faults.section import replace_section
from tests.faults.soak import soaked
from tests.faults.soak_report import Series, by_role, write_report
from tests.faults.weather import Soak


# pynetdicom's thread of an association that is cut in the middle may die of it, in the sender.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_short_soak_loses_nothing_and_can_be_reported(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    database = Database.at(f"sqlite:///{tmp_path / 'state' / 'sedas-node.sqlite'}")
    soak, toll = soaked(tmp_path, database, minutes=0.3)
    database.close()
    assert toll.all == ()
    assert soak.images >= 30
    assert soak.kills
    write_report(tmp_path, tmp_path / "samples.jsonl", soak, toll)
    page = (tmp_path / "reliability.md").read_text()
    assert "Acknowledged images lost: 0." in page
    assert (tmp_path / "soak.png").stat().st_size > 1000


def test_memory_that_grows_has_a_slope_and_one_that_does_not_has_none() -> None:
    samples = [
        {
            "at": at,
            "images": 10 * at,
            "processes": [{"role": "node", "rss_bytes": 10**8 + at * 10**6, "files": 7}],
        }
        for at in range(100)
    ]
    series = by_role(samples)["node"]
    assert series.slope(series.rss_mb, since=0) == pytest.approx(100.0)
    assert series.slope(series.files, since=50) == pytest.approx(0.0, abs=1e-6)


def test_processes_of_one_role_count_together() -> None:
    two = [{"role": "receiver", "rss_bytes": 10**6, "files": 3}] * 2
    assert by_role([{"at": 1.0, "images": 1, "processes": two}])["receiver"] == Series(
        (1.0,), (1,), (2.0,), (6,)
    )


def test_a_section_is_replaced_and_all_else_stays(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    replace_section("kills", "old\n", page)
    replace_section("soak", "a soak\n", page)
    replace_section("kills", "new\n", page)
    text = page.read_text()
    assert "old" not in text
    assert text.index("new") < text.index("a soak")
    assert text.count("<!-- kills: begin -->") == 1


def test_a_calm_is_at_the_end() -> None:
    assert Soak(minutes=20).calm_from == 15 * 60
    assert Toll().all == ()
