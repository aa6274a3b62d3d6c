import stat
from pathlib import Path

import pytest

from inference.dataset.linkage import BadLinkage, names, read_linkage, write_linkage

PATIENTS = [f"patient {n}" for n in range(40)]


def test_names_depend_on_the_key_and_not_on_the_order_of_the_patients() -> None:
    assert names(PATIENTS, {}, key="one") == names(PATIENTS[::-1], {}, key="one")
    assert names(PATIENTS, {}, key="one") != names(PATIENTS, {}, key="two")
    assert sorted(names(PATIENTS, {}, key="one").values()) == [f"case-{n + 1:04d}" for n in range(40)]


def test_a_known_patient_keeps_its_name_and_no_name_comes_again() -> None:
    known = names(PATIENTS[:30], {}, key="one")
    later = names(PATIENTS[20:], known, key="two")
    assert {patient: later[patient] for patient in PATIENTS[20:30]} == {
        patient: known[patient] for patient in PATIENTS[20:30]
    }
    assert sorted(later[patient] for patient in PATIENTS[30:]) == [f"case-{n + 1:04d}" for n in range(30, 40)]


def test_a_linkage_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    linked = names([*PATIENTS, 'O"Hara; Ann, "x"'], {}, key="one")
    file = tmp_path / "ds.linkage.csv"
    write_linkage(file, linked)
    assert read_linkage(file) == linked
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_without_a_file_nobody_is_known(tmp_path: Path) -> None:
    assert read_linkage(tmp_path / "ds.linkage.csv") == {}


@pytest.mark.parametrize(
    "text",
    ["", "a,b\nx,y\n", "patient_id,case\nA\n", "patient_id,case\nA,case-0001\nB,case-0001\n"],
)
def test_another_file_in_its_place_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ds.linkage.csv"
    file.write_text(text)
    with pytest.raises(BadLinkage, match="move it away"):
        read_linkage(file)
