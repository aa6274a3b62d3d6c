import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pydicom
import pytest

from inference.phantom import LesionKind, as_volume, chest, write_study
from inference.volume import load
from tests.phantom import head_ct, scout, short_study, small_chest, two_kernels


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        write_study(chest(seed=5, lesion=None, pixels=64, pixel_mm=5.6), tmp_path / name)
        for name in ("a", "b")
    )
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


@pytest.mark.parametrize("kind", LesionKind)
@pytest.mark.parametrize("seed", range(4))
def test_a_chest_is_adult_and_holds_its_lesion_inside_the_lungs(kind: LesionKind, seed: int) -> None:
    phantom = small_chest(seed, kind)
    litres = phantom.lungs.sum() * np.prod(phantom.spacing_mm) / 1e6
    assert 2.5 < litres < 7.5
    assert phantom.lesion.any()
    assert not (phantom.lesion & ~phantom.lungs).any()
    assert phantom.size_mm is not None
    assert 8 < phantom.size_mm < 110


def test_another_lesion_makes_another_study_of_the_same_person(tmp_path: Path) -> None:
    headers = [
        pydicom.dcmread(write_study(small_chest(2, kind), tmp_path / str(kind))[0], stop_before_pixels=True)
        for kind in LesionKind
    ]
    assert headers[0].PatientID == headers[1].PatientID
    assert headers[0].StudyInstanceUID != headers[1].StudyInstanceUID


def test_the_volume_of_a_phantom_is_the_one_its_files_load_to(tmp_path: Path) -> None:
    phantom = small_chest()
    loaded, direct = load(write_study(phantom, tmp_path)), as_volume(phantom)
    assert np.array_equal(loaded.hu, direct.hu)
    assert loaded.positions_mm == direct.positions_mm
    assert loaded.sop_instance_uids == direct.sop_instance_uids
    assert loaded.spacing_mm == pytest.approx(direct.spacing_mm)
    assert (loaded.kernel, loaded.findings) == (direct.kernel, ())


def test_the_lesion_lies_where_the_phantom_says() -> None:
    phantom = small_chest()
    volume = as_volume(phantom)
    z, y, x = (float(axis.mean()) for axis in np.nonzero(phantom.lesion))
    assert volume.position_mm(z, y, x) == pytest.approx(phantom.position_mm, abs=0.1)


def test_dciodvfy_finds_no_error_in_a_phantom(tmp_path: Path) -> None:
    dciodvfy = Path(sysconfig.get_path("scripts")) / "dciodvfy"
    file = write_study(small_chest(), tmp_path)[30]
    said = subprocess.run([dciodvfy, file], capture_output=True, text=True, check=False)
    assert said.returncode == 0
    assert "Error" not in said.stdout + said.stderr


def test_the_variants_are_what_they_say(tmp_path: Path) -> None:
    assert pydicom.dcmread(head_ct(tmp_path / "head")[0]).BodyPartExamined == "HEAD"
    assert pydicom.dcmread(scout(tmp_path / "scout")[0]).ImageType[2] == "LOCALIZER"
    assert len(list((tmp_path / "scout").iterdir())) == 1
    assert len(short_study(tmp_path / "short")) == 3
    sharp, soft = (pydicom.dcmread(paths[0]) for paths in two_kernels(tmp_path / "two"))
    assert (sharp.ConvolutionKernel, soft.ConvolutionKernel) == ("B70f", "B40f")
    assert sharp.StudyInstanceUID == soft.StudyInstanceUID
    assert sharp.SeriesInstanceUID != soft.SeriesInstanceUID
