"""`sedas-node analyse`: a folder in, result.json and DICOM out, twice the same bytes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

KEYS = {
    "study_instance_uid", "series_instance_uid", "label", "probability", "threshold", "slice_policy",
    "target", "other_candidates", "slices", "lung_volume_ml", "input_quality", "model", "segmenter",
    "statements", "timings_s", "consistency", "calibration", "candidate", "not_assessed_for", "object_findings",
}  # fmt: skip


def _analyse(path: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "node", "analyse", str(path), "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def _result(out: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((out / "result.json").read_text())
    return result


def test_a_study_gives_a_result_and_its_objects_the_same_each_time(
    phantom_study: list[Path], tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for out in (first, second):
        ran = _analyse(phantom_study[0].parent, out)
        assert ran.returncode == 0, ran.stderr
    result = _result(first)
    assert set(result) == KEYS
    assert set(result["timings_s"]) == {"load", "segment", "select", "classify", "encode", "total"}
    assert result["object_findings"] == []
    assert result["slice_policy"] == "automatic"
    assert result["probability"] == pytest.approx(
        sum(s["probability"] for s in result["slices"]) / len(result["slices"])
    )
    assert result["label"] == ("PIMA" if result["probability"] >= result["threshold"] else "IPN")
    objects = {path.name: path.read_bytes() for path in (first / "dicom").iterdir()}
    assert objects == {path.name: path.read_bytes() for path in (second / "dicom").iterdir()}
    assert sorted(p.name for p in first.iterdir()) == ["dicom", "result.json"]


def test_a_folder_without_dicom_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    (tmp_path / "ct" / "rubbish.dcm").write_bytes(b"rubbish" * 50)
    ran = _analyse(tmp_path / "ct", tmp_path / "out")
    assert ran.returncode == 2
    assert "found 1 files and none is DICOM" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_of_the_users_own_is_never_overwritten(phantom_study: list[Path], tmp_path: Path) -> None:
    own = tmp_path / "dicom"
    shutil.copytree(phantom_study[0].parent, own)
    ran = _analyse(own, tmp_path)
    assert ran.returncode == 2
    assert "choose another folder" in ran.stderr
    assert len(list(own.iterdir())) == len(phantom_study)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("awkward/gantry_tilt", "not a chest: it says BRAIN"),
        ("awkward/localizer", "its image type says LOCALIZER"),
        ("chest/lungmask_slice", "no series can be analysed"),
    ],
)
def test_what_is_not_ours_is_refused_with_the_reason(
    real_data: Path, tmp_path: Path, folder: str, reason: str
) -> None:
    ran = _analyse(real_data / folder, tmp_path / "out")
    assert ran.returncode == 2
    assert reason in ran.stderr


@pytest.mark.realdata
def test_the_tumour_of_a_real_study_is_found(real_data: Path, tmp_path: Path) -> None:
    study = real_data / "chest" / "lung_dx_A0002"
    ran = _analyse(study, tmp_path)
    assert ran.returncode == 0, ran.stderr
    result = _result(tmp_path)
    kernels = {
        str(ds.SeriesInstanceUID): str(ds.ConvolutionKernel)
        for ds in (dcmread(file, stop_before_pixels=True) for file in study.glob("B*/*.dcm"))
    }
    assert kernels[result["series_instance_uid"]] == "B70f"
    boxed = {file.stem for file in (study / "boxes").glob("*.xml")}
    selected = [s["sop_instance_uid"] for s in result["slices"]]
    found = boxed.intersection(selected)
    assert len(found) >= 8
    assert len(found) >= len(selected) / 2
