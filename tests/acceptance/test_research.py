"""The whole circle from nothing: cohort, dataset, training, a node in shadow mode, truth, validation report."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dicom_out.association import Peer
from dicom_out.outcome import Outcome
from dicom_out.scu import send_files
from node.__main__ import cli
from tests.nodes import recording_pacs, running_node, write_config

TRAINED, VALIDATED = 24, 8  # patients
RECIPE = """\
dataset = "dataset"
out = "training"
initial = "random"
[architecture]
layers = [1, 1, 1, 1]
width = 4
channels = 1
[optimiser]
rate = 3e-3
epochs = 4
batch_size = 8
"""


def _do(*arguments: str | Path) -> str:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _cohort(folder: Path, patients: int, seed: int) -> Path:
    _do("cohort", "synth", folder, "--patients", str(patients), "--seed", str(seed), "--pixels", "64")
    return folder


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _area_by_hand(positive: list[float], negative: list[float]) -> float:
    pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    return sum(pairs) / len(pairs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("circle")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    """Trained on a cohort of its own."""
    cohort = _cohort(folder / "cohort", TRAINED, seed=1)
    quick = folder / "quick.toml"
    quick.write_text(f'[storage]\nfolder = "{folder / "nothing"}"\n[inference]\nsegmenter = "threshold"\n')
    _do(
        "dataset", "build", folder / "dataset", "--table", cohort / "patients.csv", "--dicom", cohort / "dicom",
        "--pixel-mm", "5.6", "--size", "64", "--config", quick,
    )  # fmt: skip
    _do("dataset", "check", folder / "dataset")
    (folder / "recipe.toml").write_text(RECIPE)
    _do("train", folder / "recipe.toml")
    return folder / "training" / "bundle"


@pytest.fixture(scope="module")
def site(folder: Path) -> Path:
    """Other patients."""
    return _cohort(folder / "site", VALIDATED, seed=2)


@pytest.fixture(scope="module")
def report(folder: Path, bundle: Path, site: Path) -> dict[str, Any]:
    """Of a node in shadow mode that was sent the site's patients, and told their truth afterwards."""
    files = sorted((site / "dicom").rglob("*.dcm"))
    with recording_pacs() as pacs:
        config = write_config(folder / "node", pacs.port, extra="[release]\nshadow = true\n")
        config.write_text(config.read_text().replace("[inference]\n", f'[inference]\nbundle = "{bundle}"\n'))
        with running_node(config) as node:
            answers = send_files(files, Peer("SEDAS", "127.0.0.1", node.port), calling_ae_title="PACS")
            assert {answer.outcome for answer in answers} == {Outcome.STORED}
            jobs = node.settled(VALIDATED)
            assert {job["state"] for job in jobs} == {"DONE"}
            node.ask("truth", "import", str(site / "truth.csv"))
            node.ask("validate", "--out", str(folder / "report"))
    assert pacs.received == {}
    found: dict[str, Any] = json.loads((folder / "report" / "report.json").read_text())
    return found


def test_the_report_is_of_every_patient(report: dict[str, Any], site: Path) -> None:
    labels = [row["label"] for row in _rows(site / "truth.csv")]
    counts = {"positive": labels.count("PIMA"), "negative": labels.count("IPN")}
    assert report["results"]["patients"] == counts
    assert report["flow"]["screened"] == VALIDATED


def test_its_auc_is_the_one_of_the_results_by_hand(
    report: dict[str, Any], folder: Path, bundle: Path, site: Path
) -> None:
    """Each study is analysed anew from its folder, without node and database."""
    config = folder / "alone.toml"
    config.write_text(
        f'[storage]\nfolder = "{folder / "alone"}"\n[inference]\nsegmenter = "threshold"\nbundle = "{bundle}"\n'
    )
    truth = {row["study_instance_uid"]: row["label"] for row in _rows(site / "truth.csv")}
    scores: dict[str, list[float]] = {"PIMA": [], "IPN": []}
    for study in sorted((site / "dicom").iterdir()):
        out = folder / "analysed" / study.name
        _do("analyse", study, "--out", out, "--config", config)
        result = json.loads((out / "result.json").read_text())
        assert result["slice_policy"] == "annotated"
        scores[truth[result["study_instance_uid"]]].append(result["probability"])
    area = report["results"]["performance"]["auc"]["auc"]["value"]
    assert area == pytest.approx(_area_by_hand(scores["PIMA"], scores["IPN"]), abs=1e-12)


def test_the_page_says_what_the_model_is(report: dict[str, Any], folder: Path) -> None:
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert report["model"]["digest"][:12] in page
    assert "Trained on synthetic phantoms, no clinical meaning." in page
    assert "TRIPOD+AI" in page
