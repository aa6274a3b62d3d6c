"""`sedas-node dataset`, on coarse phantoms."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from config.load import load
from inference.dataset.folder import open_dataset
from inference.dataset.linkage import read_linkage
from inference.dataset.manifest import Mode
from node import app
from node.__main__ import cli
from node.research.dataset import DatasetRefused
from tests.held import NOON, take
from tests.small_cohort import SmallCohort, patient_id, write_cohort

PATIENTS = 6

pytestmark = pytest.mark.filterwarnings("ignore:The string:UserWarning")  # highdicom, on the patient's name


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> SmallCohort:
    return write_cohort(tmp_path_factory.mktemp("cohort"), PATIENTS)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    file = folder / "config.toml"
    file.write_text(
        f'[storage]\nfolder = "{folder / "node"}"\nminimum_free_bytes = 0\n[inference]\nsegmenter = "threshold"\n'
    )
    return file


@pytest.fixture(scope="module")
def built(cohort: SmallCohort, config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder, and what was printed; nobody changes it."""
    out = tmp_path_factory.mktemp("built") / "ds"
    result = build(out, cohort, config, "--dicom", cohort.folder / "dicom")
    assert result.exit_code == 0, result.output
    return out, result.output


def build(out: Path, cohort: SmallCohort, config: Path, *more: object) -> Result:
    options: Sequence[object] = (
        "--table", cohort.table, "--slices", cohort.slices, "--config", config, "--name", "ds",
        "--pixel-mm", 5.6, "--size", 64, "--slice-mm", 10.0, *more,
    )  # fmt: skip
    return run("build", out, *options)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(cli, ["dataset", *map(str, arguments)], env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_dataset_is_built_from_folders_and_its_numbers_are_printed(built: tuple[Path, str]) -> None:
    out, printed = built
    manifest = open_dataset(out).manifest
    slices = sum(len(case.slice_sha256) for case in manifest.cases)
    assert f"ds 1: 6 patients (3 PIMA, 3 IPN), {slices} slices" in printed
    assert "main test: 2 patients, 1 of them PIMA" in printed
    assert manifest.segmenter.name == "threshold-lungs"
    assert patient_id(0) not in printed


def test_from_the_nodes_store_comes_the_same(
    built: tuple[Path, str], cohort: SmallCohort, config: Path, tmp_path: Path
) -> None:
    settings = load(config)
    sessions = app.open_sessions(settings)
    for file in sorted((cohort.folder / "dicom").rglob("*.dcm")):
        take(sessions, settings, file.read_bytes(), sender="PACS", now=NOON)
    result = build(tmp_path / "ds", cohort, config, "--store")
    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "ds") == contents(built[0])


def test_checking_a_whole_dataset_prints_its_numbers(built: tuple[Path, str]) -> None:
    result = run("check", built[0])
    assert result.exit_code == 0
    assert "no leak was found" in result.output


def test_a_torn_array_is_found(built: tuple[Path, str], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(built[0], tmp_path / "ds"))
    with (copy / "cases" / "case-0003" / "lungs.npy").open("ab") as file:
        file.write(b"x")
    result = run("check", copy)
    assert result.exit_code == 1
    assert "case-0003/lungs.npy: sha256" in result.output


def test_a_patient_in_two_parts_is_found(built: tuple[Path, str], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(built[0], tmp_path / "ds"))
    manifest = open_dataset(copy).manifest
    [split] = manifest.splits
    leaking = split.model_copy(update={"train": (*split.train, split.test[0])})
    (copy / "dataset.json").write_text(manifest.model_copy(update={"splits": (leaking,)}).model_dump_json())
    result = run("check", copy)
    assert result.exit_code == 1
    assert f"{split.test[0]} is in train and in test" in result.output


def test_parts_may_come_from_a_table_in_paper_mode(cohort: SmallCohort, config: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts.csv"
    lines = [f"{patient_id(n)},{'test' if n < 2 else 'train'}" for n in range(PATIENTS)]
    parts.write_text("\n".join(["patient_id,part", *lines]))
    result = build(
        tmp_path / "ds", cohort, config,
        "--dicom", cohort.folder / "dicom", "--split-table", parts, "--mode", "paper",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    [split] = open_dataset(tmp_path / "ds").manifest.splits
    linked = read_linkage(tmp_path / "ds.linkage.csv")
    assert split.mode is Mode.PAPER
    assert split.test == split.selection == tuple(sorted(linked[patient_id(n)] for n in range(2)))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--folds", 3, "--by-site"], "not for more than one"),
        (["--by-site"], "sites: 1, expected 2 or more"),
        (["--folds", 4], "expected one for each of 4 folds"),
    ],
)
def test_parts_that_cannot_be_are_refused_before_an_image_is_read(
    cohort: SmallCohort, config: Path, tmp_path: Path, more: list[object], said: str
) -> None:
    with pytest.raises(DatasetRefused, match=said):
        build(tmp_path / "ds", cohort, config, *more)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_table_and_a_bad_list_are_refused(cohort: SmallCohort, config: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("patient_id,label\nMustermann,perhaps\n")
    with pytest.raises(DatasetRefused, match="row 2, label") as refused:
        build(tmp_path / "ds", cohort, config, "--table", bad)
    assert "Mustermann" not in str(refused.value)
    with pytest.raises(
        DatasetRefused, match=r"mistakes in the list of slices:\n  row 1: column sop_instance_uid is missing"
    ):
        build(tmp_path / "ds", cohort, config, "--slices", bad)


def test_without_any_images_everybody_is_left_out(cohort: SmallCohort, config: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetRefused, match="none of 6 patients is a case"):
        build(tmp_path / "ds", cohort, config, "--dicom", tmp_path)
    assert (tmp_path / "ds.excluded.csv").read_text().count("no images") == PATIENTS
    assert not (tmp_path / "ds.plan.json").exists(), "the right folder may come next"


def test_a_folder_that_is_not_there_is_refused(cohort: SmallCohort, config: Path, tmp_path: Path) -> None:
    result = build(tmp_path / "ds", cohort, config, "--dicom", tmp_path / "mistyped")
    assert result.exit_code == 2
    assert "mistyped" in result.output
    assert list(tmp_path.iterdir()) == []


def test_marks_in_a_folder_of_their_own_and_broken_ones(
    cohort: SmallCohort, config: Path, tmp_path: Path
) -> None:
    """Boxes for those that the list names, one a slice; two files that are none."""
    marks = tmp_path / "marks"
    marks.mkdir()
    for number in range(PATIENTS // 2, PATIENTS):
        for uid in cohort.marked[patient_id(number)]:
            edges = "<xmin>8</xmin><ymin>16</ymin><xmax>56</xmax><ymax>48</ymax>"
            (marks / f"{uid}.xml").write_text(f"<annotation><bndbox>{edges}</bndbox></annotation>")
    (marks / "1.2.3.xml").write_text("<!DOCTYPE x><annotation/>")
    (marks / "069.xml").write_text("<html/>")
    nothing = replace(cohort, folder=tmp_path)
    shutil.copy(cohort.table, nothing.table)
    nothing.slices.write_text("sop_instance_uid\n1.2.3\n")
    result = build(
        tmp_path / "ds", nothing, config,
        "--dicom", cohort.folder / "dicom", "--annotations", marks,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "1 files of marks were not read: it has a document type" in result.output
    assert "1 files of marks were not read: it is no reading of LIDC" in result.output
    dataset, linked = open_dataset(tmp_path / "ds"), read_linkage(tmp_path / "ds.linkage.csv")
    for number in range(PATIENTS):
        case = dataset.cases[linked[patient_id(number)]]
        assert case.marked_by == ("Boxes" if number >= PATIENTS // 2 else "Key object selection")
        assert len(case.slice_sha256) == len(cohort.marked[patient_id(number)])
