"""The commands as a person types them: what they print, write and refuse."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from typer.testing import CliRunner, Result

from config.load import load
from db.models import Job
from db.states import State
from node import app
from node.__main__ import COMPLAINTS, cli
from tests.results import result

SCORES = {"1.2.1": 0.9, "1.2.2": 0.4, "1.2.3": 0.6, "1.2.4": 0.2, "1.2.5": 0.3}
TRUTH = {"1.2.1": "PIMA", "1.2.2": "PIMA", "1.2.3": "IPN", "1.2.4": "IPN"}
DAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Of a node that has scored five studies, one a day."""
    file = tmp_path / "config.toml"
    file.write_text(f'[storage]\nfolder = "{tmp_path / "state"}"\n')
    sessions = app.open_sessions(load(file, {}))
    with sessions.begin() as session:
        for number, (study, probability) in enumerate(SCORES.items()):
            at = DAY + timedelta(days=number)
            job = Job(study_instance_uid=study, generation=1, state=State.DONE, created_at=at, changed_at=at)
            session.add(job)
            session.flush()
            row = result(job.id)
            row.probability, row.label, row.slice_policy = probability, "x", "annotated"
            session.add(row)
    return file


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "truth.csv"
    rows = [f"{study},{label}" for study, label in {**TRUTH, "1.2.9": "IPN"}.items()]
    file.write_text("\n".join(["study_instance_uid,label", *rows]))
    return file


def _typed(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_truth_comes_in_and_the_report_has_the_auc_of_the_rows(
    config: Path, table: Path, tmp_path: Path
) -> None:
    imported = _typed("truth", "import", table, "--config", config)
    assert imported.stdout.splitlines() == [
        "5 new, 0 replaced, 0 known already",
        "row 6: study not received by this node; kept, it may come later",
    ]
    out = tmp_path / "report"
    validated = _typed("validate", "--out", out, "--config", config)
    assert validated.stdout.splitlines()[:2] == ["5 studies received, 4 included", "  1 truth not known"]
    found = json.loads((out / "report.json").read_text())["results"]["performance"]["auc"]["auc"]["value"]
    by_hand = roc_auc_score([label == "PIMA" for label in TRUTH.values()], [SCORES[study] for study in TRUTH])
    assert found == pytest.approx(by_hand, abs=1e-12)
    assert (out / "report.html").exists()


def test_the_days_of_a_period_are_both_in_it(config: Path, table: Path, tmp_path: Path) -> None:
    _typed("truth", "import", table, "--config", config)
    period = ("--from", "2026-03-02", "--to", "2026-03-03")
    validated = _typed("validate", "--out", tmp_path / "report", *period, "--config", config)
    assert validated.stdout.startswith("2 studies received, 2 included")


def test_what_is_refused_leaves_nothing_behind(config: Path, table: Path, tmp_path: Path) -> None:
    table.write_text(table.read_text().replace("PIMA", "cancer"))
    for words in (("truth", "import", table), ("validate", "--out", tmp_path / "report")):
        refused = _typed(*words, "--config", config)
        assert isinstance(refused.exception, COMPLAINTS)
    assert not (tmp_path / "report").exists()
