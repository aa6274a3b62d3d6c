"""The main job with foreign programs at both ends: DCMTK sends, Orthanc receives."""

from pathlib import Path
from typing import Any

import pytest

from tests.nodes import running_node, write_config
from tests.peers import Orthanc, orthanc, storescu

pytestmark = [pytest.mark.peers, pytest.mark.realdata]


def test_a_real_study_comes_back_to_the_pacs_as_report_and_pictures(tmp_path: Path, real_data: Path) -> None:
    study = real_data / "chest" / "lung_dx_A0002"
    series = [study / "B70f", study / "B40f"]
    with orthanc(tmp_path / "orthanc") as pacs:
        config = write_config(tmp_path / "node", pacs.dicom_port, ae_title="ORTHANC")
        with running_node(config) as node:
            for title, port in (("ORTHANC", pacs.dicom_port), ("SEDAS", node.port)):
                sent = storescu("-aec", title, "+sd", "127.0.0.1", str(port), *series)
                assert sent.returncode == 0, sent.stderr
            (job,) = node.settled()
            trail = node.audit()
        assert (job["state"], job["reason"]) == ("DONE", "")
        assert _modalities(pacs) == {"CT": 60, "SR": 1, "OT": 6}  # the summary card and five key slices
        assert len(pacs.get("/patients")) == len(pacs.get("/studies")) == 1
    chosen = [row["detail"] for row in trail if row["event"] == "series chosen"]
    others = [row["detail"] for row in trail if row["event"] == "series not chosen"]
    assert ["B70f" in detail for detail in chosen] == [True]
    assert ["soft kernel B40f" in detail for detail in others] == [True]


def test_a_pacs_that_sends_and_routes_everything_back_causes_one_analysis(
    tmp_path: Path, phantom_study: list[Path]
) -> None:
    with orthanc(tmp_path / "orthanc") as pacs:
        config = write_config(tmp_path / "node", pacs.dicom_port, ae_title="ORTHANC")
        with running_node(config) as node:
            pacs.knows("node", "SEDAS", node.port)
            for file in phantom_study:
                pacs.post("/instances", file.read_bytes())
            (study,) = pacs.get("/studies")
            pacs.post("/modalities/node/store", study)
            (before,) = node.settled()
            report = _series(pacs, "SR")["Instances"]
            pacs.post("/modalities/node/store", report)
            pacs.post("/modalities/node/store", _series(pacs, "CT")["Instances"])
            (after,) = node.jobs()
    assert before["state"] == "DONE"
    assert after == before


def _series(pacs: Orthanc, modality: str) -> Any:
    every = [pacs.get(f"/series/{uid}") for uid in pacs.get("/series")]
    (series,) = [s for s in every if s["MainDicomTags"]["Modality"] == modality]
    return series


def _modalities(pacs: Orthanc) -> dict[str, int]:
    counts: dict[str, int] = {}
    for uid in pacs.get("/series"):
        series = pacs.get(f"/series/{uid}")
        modality = series["MainDicomTags"]["Modality"]
        counts[modality] = counts.get(modality, 0) + len(series["Instances"])
    return counts
