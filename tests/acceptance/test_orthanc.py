"""The main job with foreign programs at both ends: DCMTK sends, Orthanc receives."""

import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.nodes import Node, running_node, write_config
from tests.peers import Orthanc, free_port, orthanc, storescu, wait_for

pytestmark = pytest.mark.peers


@pytest.mark.realdata
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


@pytest.mark.realdata
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


def test_results_wait_for_a_pacs_that_is_away_are_committed_to_and_withdrawn(
    tmp_path: Path, held: Path
) -> None:
    dicom_port = free_port()
    config = write_config(tmp_path / "node", dicom_port, ae_title="ORTHANC", commitment=True)
    shutil.copytree(held, tmp_path / "node" / "state")
    with running_node(config, with_worker=False) as node:
        node.ask("release", "1")
        away = _progress(node, lambda there: bool(there["answer"]), "the first attempt")
        count = away["objects"]["waiting"]
        assert away["objects"] == {"waiting": count}
        assert away["answer"] == f"no connection to 127.0.0.1 port {dicom_port}"
        assert away["next_attempt_at"] > away["waiting_since"]
        with orthanc(tmp_path / "orthanc", dicom_port=dicom_port, node_port=node.port) as pacs:
            [done] = node.settled()
            assert done["state"] == "DONE", done
            [there] = done["deliveries"]
            assert there["objects"] == {"committed": count}
            assert _modalities(pacs) == {"SR": 1, "OT": count - 3, "SEG": 1, "KO": 1}
            node.ask("withdraw", done["study_instance_uid"], "--reason", "quality")
            wait_for(lambda: node.states() == ["WITHDRAWN"], "the note to be committed to")
            [withdrawn] = node.jobs()
            assert withdrawn["deliveries"][0]["objects"] == {"committed": count + 1}
            before, note = _by_age(pacs)
    assert len(before) == count
    assert note.ConceptNameCodeSequence[0].CodeValue == "113001"
    [study] = note.CurrentRequestedProcedureEvidenceSequence
    named = {
        i.ReferencedSOPInstanceUID for s in study.ReferencedSeriesSequence for i in s.ReferencedSOPSequence
    }
    assert named == before


def _progress(node: Node, until: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    def there() -> dict[str, Any]:
        [job] = node.jobs()
        [progress] = job["deliveries"]
        return progress if until(progress) else {}

    return wait_for(there, what)


def _by_age(pacs: Orthanc) -> tuple[set[str], Dataset]:
    """The SOP Instance UIDs of what it was sent, each once, before the last object, and that one."""
    sent = [c["ID"] for c in pacs.get("/changes?limit=100")["Changes"] if c["ChangeType"] == "NewInstance"]
    *before, note = (dcmread(BytesIO(pacs.download(one))) for one in sent)
    assert len({ds.SOPInstanceUID for ds in before}) == len(before)
    return {ds.SOPInstanceUID for ds in before}, note


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
