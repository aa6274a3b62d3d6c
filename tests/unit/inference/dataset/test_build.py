"""Datasets of coarse phantoms, from files to the manifest."""

import csv
import hashlib
import json
import shutil
import stat
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from inference.dataset import making
from inference.dataset.alone import Busy, alone
from inference.dataset.build import Built, Found, build
from inference.dataset.case_folder import Record
from inference.dataset.folder import BadDataset, Dataset, open_dataset
from inference.dataset.leaks import Leak
from inference.dataset.linkage import read_linkage
from inference.dataset.manifest import Mode, Split
from inference.dataset.plan import OtherBuild
from inference.dataset.sources import Images, acquisition
from inference.evaluation.subject import Period
from tests.small_cohort import NUMBERS, SmallCohort, patient_id, write_cohort

PATIENTS = 6
TRAINING = (patient_id(0), patient_id(1), patient_id(5), "NOBODY", "NOONE")
TESTING = tuple(patient_id(n) for n in (2, 3, 4))

pytestmark = pytest.mark.filterwarnings("ignore:The string:UserWarning")  # highdicom, on the patient's name


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> SmallCohort:
    return write_cohort(tmp_path_factory.mktemp("cohort"), PATIENTS)


@cache
def _found(cohort: SmallCohort) -> Mapping[str, Found]:
    return cohort.found()


@pytest.fixture(scope="module")
def built(cohort: SmallCohort, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Built]:
    """The folder and what came of it; nobody changes it."""
    out = tmp_path_factory.mktemp("built") / "ds"
    return out, build(cohort.order(out), cohort.rows, _found(cohort))


@pytest.fixture
def found(cohort: SmallCohort) -> dict[str, Found]:
    return dict(_found(cohort))


@pytest.fixture
def own(cohort: SmallCohort, tmp_path: Path) -> SmallCohort:
    """A cohort whose table a test may write."""
    mine = replace(cohort, folder=tmp_path / "cohort")
    mine.folder.mkdir()
    (mine.folder / "dicom").symlink_to(cohort.folder / "dicom")
    shutil.copy(cohort.slices, mine.slices)
    shutil.copy(cohort.table, mine.table)
    return mine


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def arrays(folder: Path, patient: str) -> dict[str, bytes]:
    case = read_linkage(folder.with_name("ds.linkage.csv"))[patient]
    return {p.name: p.read_bytes() for p in (folder / "cases" / case).glob("*.npy")}


def by_patient(dataset: Dataset) -> dict[str, str]:
    return read_linkage(dataset.folder.with_name(f"{dataset.folder.name}.linkage.csv"))


def test_a_dataset_opens_and_its_arrays_are_the_manifests(built: tuple[Path, Built]) -> None:
    dataset = open_dataset(built[0])
    dataset.verify()
    assert dataset.manifest == built[1].manifest
    assert len(dataset.cases) == PATIENTS
    assert dataset.manifest.synthetic
    assert {case.marked_by for case in dataset.manifest.cases} == {"Key object selection", "Slice list"}


def test_the_slices_are_those_that_were_marked(built: tuple[Path, Built], cohort: SmallCohort) -> None:
    dataset = open_dataset(built[0])
    for patient, case in by_patient(dataset).items():
        assert len(dataset.images(case)) == len(cohort.marked[patient])  # slabs are single slices here
        assert dataset.cases[case].positive == (int(patient[-6:]) % 2 == 0)


def test_nothing_in_the_folder_names_a_patient(built: tuple[Path, Built], cohort: SmallCohort) -> None:
    headers = [
        dcmread(file, stop_before_pixels=True) for file in (cohort.folder / "dicom").rglob("*-0001.dcm")
    ]
    told = {str(cohort.folder).encode(), b"Phantom^", *(str(n).encode() for n in cohort.marked)}
    for ds in headers:
        for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "StudyDate"):
            told.add(str(ds[keyword].value).encode())
        told.add(str(ds.AccessionNumber).encode())
    told |= {uid.encode() for uids in cohort.marked.values() for uid in uids}
    told |= {str(row.acquired).encode() for row in cohort.rows}
    files = contents(built[0])
    for name, content in files.items():
        assert not [word for word in told if word in content or word in name.encode()], name


def test_names_of_cases_say_nothing_of_class_or_alphabet(built: tuple[Path, Built]) -> None:
    linked = by_patient(open_dataset(built[0]))
    names = [linked[patient_id(n)] for n in range(PATIENTS)]
    assert sorted(names) == [f"case-{n + 1:04d}" for n in range(PATIENTS)]
    assert names != sorted(names)


def test_what_links_cases_to_patients_is_for_its_owner_alone(built: tuple[Path, Built]) -> None:
    for kind in ("linkage.csv", "excluded.csv", "plan.json"):
        file = built[0].with_name(f"ds.{kind}")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_ages_from_90_are_one_and_of_dates_the_year_stays(built: tuple[Path, Built]) -> None:
    dataset = open_dataset(built[0])
    linked = by_patient(dataset)
    ages = [dataset.cases[linked[patient_id(n)]].age_years for n in range(PATIENTS)]
    assert ages == [70, 75, 80, 85, 90, 90]
    assert dataset.cases[linked[patient_id(2)]].year == 2022
    periods = [dataset.cases[linked[patient_id(n)]].period for n in range(PATIENTS)]
    assert [n for n, period in enumerate(periods) if period is Period.EARLIER] == [0, 1, 4]


def test_the_same_again_changes_nothing_and_makes_nothing(
    built: tuple[Path, Built], cohort: SmallCohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(built[0])
    monkeypatch.setattr(making, "load", None)  # no image is read
    assert build(cohort.order(built[0]), cohort.rows, _found(cohort)) == built[1]
    assert contents(built[0]) == before


def test_a_build_that_was_killed_goes_on_to_the_same_bytes(
    built: tuple[Path, Built], cohort: SmallCohort, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill(_outcome: object) -> None:
        done.append(1)
        if len(done) == 3:
            raise Killed

    done: list[int] = []
    out = tmp_path / "ds"
    with pytest.raises(Killed):
        build(cohort.order(out), cohort.rows, _found(cohort), on_case=kill)
    assert not (out / "dataset.json").exists()
    whole, *_ = sorted((out / "cases").iterdir())
    (whole / "images.npy").write_bytes(b"torn by a power cut")
    (out / "cases" / ".case-0008").mkdir()
    build(cohort.order(out), cohort.rows, _found(cohort))
    assert contents(out) == contents(built[0])


def test_a_case_from_a_build_of_its_own_kind_is_refused(
    built: tuple[Path, Built], cohort: SmallCohort, tmp_path: Path
) -> None:
    """One that a killed build left whole is taken as it is, so what made it must stand in its record."""
    out = tmp_path / "ds"
    shutil.copytree(built[0], out)
    for beside in built[0].parent.glob("ds.*"):
        shutil.copy(beside, tmp_path)
    record = out / "cases" / "case-0002" / "record.json"
    own = json.loads(record.read_text())
    record.write_text(json.dumps({**own, "prepared_by": "f" * 64}))
    with pytest.raises(Leak, match="case-0002 was prepared by ffffffffffff"):
        build(cohort.order(out), cohort.rows, _found(cohort))


def test_other_options_are_refused_by_name(built: tuple[Path, Built], cohort: SmallCohort) -> None:
    numbers = NUMBERS.model_copy(update={"pixel_mm": 6.0})
    order = cohort.order(built[0], seed=1, numbers=numbers)
    with pytest.raises(OtherBuild, match="split by, splits, preprocessing;"):
        build(order, cohort.rows, _found(cohort))


def test_other_images_are_refused(
    built: tuple[Path, Built], cohort: SmallCohort, found: dict[str, Found]
) -> None:
    first = found[patient_id(0)]
    assert isinstance(first, Images)
    found[patient_id(0)] = replace(first, sha256="f" * 64)
    with pytest.raises(OtherBuild, match="is: inputs;"):
        build(cohort.order(built[0]), cohort.rows, found)


def test_what_a_person_put_beside_the_cases_stays(
    built: tuple[Path, Built], cohort: SmallCohort, tmp_path: Path
) -> None:
    out = tmp_path / "ds"
    shutil.copytree(built[0].parent, tmp_path, dirs_exist_ok=True)
    (out / "cases" / ".DS_Store").touch()
    (out / "sheets" / "notes.txt").write_text("case 3: the outline is off")
    (out / "sheets" / "case-0001.png").unlink()
    build(cohort.order(out), cohort.rows, _found(cohort))
    assert contents(out) == contents(built[0]) | {
        "cases/.DS_Store": b"",
        "sheets/notes.txt": b"case 3: the outline is off",
    }


def test_two_builds_at_once_are_refused(built: tuple[Path, Built], cohort: SmallCohort) -> None:
    with alone(built[0].with_name("ds.plan.json")), pytest.raises(Busy, match="another run is at work"):
        build(cohort.order(built[0]), cohort.rows, _found(cohort))


def test_a_case_that_table_and_images_describe_otherwise_is_said(own: SmallCohort, tmp_path: Path) -> None:
    """The phantoms are of one day, and their person is 57; their table says otherwise of all but the first."""
    lines = own.lines(range(PATIENTS))
    seen = acquisition(next((own.folder / "dicom" / "0").glob("*.dcm")))
    lines[0][2:4] = [seen.on, seen.age_years]
    own.write_table(lines)
    result = build(own.order(tmp_path / "ds"), own.rows, own.found())
    assert [(doubt.what.split()[1], doubt.rows) for doubt in result.doubts] == [
        ("CT", (3, 4, 5, 6, 7)),
        ("age", (3, 4, 5, 6, 7)),
    ]
    card = (tmp_path / "ds" / "card.md").read_text()
    assert "- patients whose CT is of another day than the table says: 5\n" in card


def test_a_folder_of_something_else_is_left_alone(cohort: SmallCohort, tmp_path: Path) -> None:
    out = tmp_path / "ds"
    out.mkdir()
    (out / "thesis.tex").touch()
    with pytest.raises(OtherBuild, match="not empty"):
        build(cohort.order(out), cohort.rows, _found(cohort))
    assert [p.name for p in tmp_path.rglob("*")] == ["ds", "thesis.tex"]


def test_a_flipped_label_changes_no_array(
    built: tuple[Path, Built], own: SmallCohort, found: dict[str, Found], tmp_path: Path
) -> None:
    lines = own.lines(range(PATIENTS))
    lines[0][1], lines[1][1] = "IPN", "PIMA"
    own.write_table(lines)
    out = tmp_path / "ds"
    flipped = build(own.order(out), own.rows, found).manifest
    case = read_linkage(tmp_path / "ds.linkage.csv")[patient_id(0)]
    assert {c.name: c.label for c in flipped.cases}[case] == "IPN"
    for number in range(PATIENTS):
        assert arrays(out, patient_id(number)) == arrays(built[0], patient_id(number))
    assert {c.prepared_by for c in flipped.cases} == {c.prepared_by for c in built[1].manifest.cases}


def test_who_cannot_be_a_case_is_counted_and_leaves_its_part(own: SmallCohort, tmp_path: Path) -> None:
    """The last of the phantoms loses its marks, and two patients of the table have no images."""
    own.write_table(
        [*own.lines(range(PATIENTS)), ["NOBODY", "PIMA", "", "", ""], ["NOONE", "IPN", "", "", ""]]
    )
    listed = [uid for number in range(3, PATIENTS - 1) for uid in own.marked[patient_id(number)]]
    own.slices.write_text("\n".join(["sop_instance_uid", *listed]))
    out, found = tmp_path / "ds", own.found()
    splits = (Split(name="all", mode=Mode.PAPER, train=TRAINING, selection=TESTING, test=TESTING),)
    result = build(replace(own.order(out), splits=splits), own.rows, found)
    flow = result.manifest.flow
    assert {e.reason: e.patients for e in flow.excluded} == {"no images": 2, "no annotation": 1}
    assert flow.screened == PATIENTS + 2
    assert [(one.row, one.reason) for one in result.left_out] == [
        (8, "no images"),
        (9, "no images"),
        (7, "no annotation"),
    ]
    with (tmp_path / "ds.excluded.csv").open() as file:
        assert [line["row"] for line in csv.DictReader(file)] == ["8", "9", "7"]
    assert len(result.manifest.splits[0].train) == 2
    for name in ("card.md", "flow.svg"):
        assert "no images" in (out / name).read_text()


def test_a_patient_under_two_names_is_a_leak_and_no_dataset_is_written(
    own: SmallCohort, found: dict[str, Found], tmp_path: Path
) -> None:
    own.write_table([*own.lines(range(PATIENTS)), ["TWICE", "IPN", "", "", ""]])
    found["TWICE"] = found[patient_id(1)]
    out = tmp_path / "ds"
    with pytest.raises(Leak, match="3 of their slices are the same"):
        build(own.order(out), own.rows, found)
    assert not (out / "dataset.json").exists()
    with pytest.raises(BadDataset, match="was it built to its end"):
        open_dataset(out)


def test_a_part_that_is_left_without_a_class_is_no_dataset(
    own: SmallCohort, found: dict[str, Found], tmp_path: Path
) -> None:
    order = own.order(tmp_path / "ds")
    for patient in order.splits[0].test:
        shown = found[patient]
        assert isinstance(shown, Images)
        found[patient] = replace(shown, slices=shown.slices[:1])
    with pytest.raises(Leak, match="test: is empty"):
        build(order, own.rows, found)


def test_a_file_that_cannot_be_read_stops_the_build_without_its_path(
    own: SmallCohort, found: dict[str, Found], tmp_path: Path
) -> None:
    first = found[patient_id(0)]
    assert isinstance(first, Images)
    found[patient_id(0)] = replace(first, slices=(*first.slices, tmp_path / "mustermann.dcm"))
    with pytest.raises(making.BuildStopped, match="No such file") as stopped:
        build(own.order(tmp_path / "ds"), own.rows, found)
    assert "mustermann" not in str(stopped.value)


def test_the_digest_of_a_case_is_that_of_its_files(built: tuple[Path, Built]) -> None:
    case = built[1].manifest.cases[0]
    folder = built[0] / "cases" / case.name
    record = Record.model_validate_json((folder / "record.json").read_bytes())
    assert record.images_sha256 == hashlib.sha256((folder / "images.npy").read_bytes()).hexdigest()
    images = np.load(folder / "images.npy")
    assert [hashlib.sha256(image.tobytes()).hexdigest() for image in images] == list(case.slice_sha256)
