"""`sedas-node demo`: from a phantom to a report and pictures, as a newcomer sees it."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image


def _demo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "node", "demo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)


def _size(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        return image.size


def test_the_demo_shows_the_way_of_a_phantom_and_leaves_what_to_look_at(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    ran = _demo("--out", out)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for shown in ("RECEIVING", "QUEUED", "RUNNING", "DELIVERING", "DONE", "Lung volume", "Probability"):
        assert shown in ran.stdout
    card, *slices = [_size(out / f"picture-{n + 1}.png") for n in range(len(list(out.glob("*.png"))))]
    assert card[0] == 1024
    assert set(slices) == {(512, 512)}
    page = (out / "report.html").read_text()
    assert page.count("data:image/png") == len(slices)
    assert "no clinical meaning" in page
    assert _demo("--out", out).returncode == 0


def test_the_demo_leaves_a_folder_alone_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    ran = _demo("--out", tmp_path)
    assert ran.returncode == 2
    assert "did not make" in ran.stderr
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_folder_without_ct_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "ct").mkdir()
    ran = _demo(tmp_path / "ct", "--out", tmp_path / "demo")
    assert ran.returncode == 2
    assert "found none" in ran.stderr


@pytest.mark.realdata
def test_the_demo_takes_a_real_study(tmp_path: Path, real_data: Path) -> None:
    ran = _demo(real_data / "chest" / "lung_dx_A0002", "--out", tmp_path / "demo")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Sent 60 of 60 images" in ran.stdout
    assert "soft kernel B40f" in ran.stdout
