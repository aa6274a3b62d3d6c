"""A small cohort from the command to what the node makes of its files."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from typer.testing import CliRunner, Result

from config.settings import Eligibility
from inference.annotation_files import read
from inference.annotations import Series
from inference.dataset.alone import alone
from inference.findings import Label
from inference.kernels import Sharpness, sharpness
from inference.phantom import LesionKind, as_volume, chest
from inference.synthetic.lesions import NoPlaceForLesion
from inference.synthetic.plan import plan
from node.__main__ import cli
from node.annotations import Rules, as_file, judge
from node.eligibility import why_not_image, why_not_series
from node.headers import Header, read_header
from node.research import cohort_drawing
from node.research.cohort_folder import CannotDraw, OtherCohort

PATIENTS, PIXELS, SEED = 5, 64, 7
KINDS = {Label.PIMA: LesionKind.PIMA_LIKE, Label.IPN: LesionKind.IPN_LIKE}


def synth(out: Path, *further: str) -> Result:
    numbers = ("--patients", str(PATIENTS), "--pixels", str(PIXELS), "--seed", str(SEED), "--screened", "7")
    return CliRunner().invoke(cli, ["cohort", "synth", str(out), *numbers, "--processes", "1", *further])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cohorts") / "cohort"
    result = synth(out)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def cohort(made: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(made, tmp_path / "cohort"))


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _included(cohort: Path) -> list[dict[str, str]]:
    return [row for row in _table(cohort / "patients.csv") if not row["exclude"]]


def _slices(cohort: Path, patient_id: str) -> list[str]:
    rows = _table(cohort / "annotations" / "slices.csv")
    return [row["sop_instance_uid"] for row in rows if row["patient_id"] == patient_id]


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _headers(cohort: Path) -> Iterator[tuple[dict[str, str], list[Header], Header]]:
    """Of each patient the row, the CT from feet to head, and the marks."""
    for row in _included(cohort):
        folder = cohort / "dicom" / row["patient_id"]
        ct = [read_header(path) for path in sorted(folder.glob("2-*.dcm"))]
        yield row, ct, read_header(folder / "marks.dcm")


def test_the_key_objects_are_the_table_of_slices_and_show_the_lesion(made: Path) -> None:
    total = 0
    planned = {patient.patient_id: patient for patient in plan(PATIENTS, seed=SEED).patients}
    for row, ct, marks in _headers(made):
        patient = planned[row["patient_id"]]
        phantom = chest(
            seed=patient.seed,
            lesion=KINDS[patient.label],
            size_mm=patient.size_mm,
            lobe=patient.lobe,
            pixels=PIXELS,
            pixel_mm=358.4 / PIXELS,
        )
        shown = [
            uid
            for uid, plane in zip(as_volume(phantom).sop_instance_uids, phantom.lesion, strict=True)
            if plane.any()
        ]
        assert [header.sop_instance_uid for header in ct] == list(as_volume(phantom).sop_instance_uids)
        (lesion,) = read(as_file(marks), Series(ct[0].series_instance_uid, "")).lesions
        named = list(lesion.sop_instance_uids)
        assert named == _slices(made, patient.patient_id)
        first = shown.index(named[0])
        assert named == shown[first : first + len(named)]
        assert abs(first - (len(shown) - first - len(named))) <= 1
        assert row["size_mm"] == f"{phantom.size_mm:.1f}"
        total += len(named)
    assert total == plan(PATIENTS, seed=SEED).marked_slices == 16


def test_the_node_takes_the_ct_and_counts_the_marks_as_a_persons(made: Path) -> None:
    rules = Eligibility()
    for _, ct, marks in _headers(made):
        assert {why_not_image(header, rules) for header in ct} == {None}
        assert why_not_series(ct, rules) is None
        assert sharpness(ct[0].kernel) is Sharpness.SHARP
        judged = judge([marks], Rules(frozenset({ct[0].patient_key}), frozenset(), algorithms=False))
        assert judged.counting == {marks.sop_instance_uid}
        assert judged.series == {ct[0].series_instance_uid}


def test_the_headers_say_what_the_table_says(made: Path) -> None:
    for row, ct, marks in _headers(made):
        for header in (ct[0], ct[-1], marks):
            ds = dcmread(header.path, stop_before_pixels=True)
            assert (ds.PatientID, ds.PatientSex) == (row["patient_id"], row["sex"])
            assert ds.PatientAge == f"{int(row['age']):03d}Y"
            assert ds.StudyDate == row["acquired"].replace("-", "")
            assert ds.StudyInstanceUID == row["study_instance_uid"]
            assert str(ds.PatientName).startswith("Synthetic^")
        ds = dcmread(ct[0].path, stop_before_pixels=True)
        assert ds.InstitutionName == row["site"]
        assert ds.ManufacturerModelName.startswith("Synthetic ")
        assert ds.ConvolutionKernel in ds.SeriesDescription


def test_the_truth_is_that_of_the_table(made: Path) -> None:
    truth = {row["study_instance_uid"]: row for row in _table(made / "truth.csv")}
    assert len(truth) == PATIENTS
    for row in _included(made):
        said = truth[row["study_instance_uid"]]
        assert (said["label"], said["confirmed_by"]) == (row["label"], row["confirmed_by"])
        assert said["confirmed_on"] > row["acquired"]


def test_those_left_out_are_rows_with_a_reason_and_without_images(made: Path) -> None:
    left_out = [row for row in _table(made / "patients.csv") if row["exclude"]]
    assert len(left_out) == 2
    assert not any((made / "dicom" / row["patient_id"]).exists() for row in left_out)


def test_a_second_run_draws_nothing_and_changes_nothing(cohort: Path) -> None:
    before = _contents(cohort)
    images = {path: path.stat().st_mtime_ns for path in cohort.rglob("*.dcm")}
    assert "0 of them drawn now" in synth(cohort).output
    assert _contents(cohort) == before
    assert {path: path.stat().st_mtime_ns for path in cohort.rglob("*.dcm")} == images


def test_what_was_lost_is_drawn_again_to_the_same_bytes(made: Path, cohort: Path) -> None:
    whole, half, bare = (row["patient_id"] for row in _included(cohort)[:3])
    shutil.rmtree(cohort / "dicom" / whole)
    (cohort / "dicom" / half).rename(cohort / "dicom" / f".{half}.part")  # as a kill leaves it
    (cohort / "dicom" / bare / "marks.dcm").unlink()
    (cohort / "patients.csv").unlink()
    assert "2 of them drawn now" in synth(cohort, "--processes", "2").output
    assert _contents(cohort) == _contents(made)


@pytest.mark.parametrize("other", [("--seed", "8"), ("--patients", "6"), ("--pixels", "96")])
def test_the_folder_of_another_cohort_is_left_alone(cohort: Path, other: tuple[str, str]) -> None:
    before = _contents(cohort)
    result = synth(cohort, *other)
    assert isinstance(result.exception, OtherCohort)
    assert _contents(cohort) == before


def test_a_folder_in_which_another_run_draws_is_left_alone(cohort: Path) -> None:
    before = _contents(cohort)
    with alone(cohort / "cohort.json"):
        assert "another run is at work" in str(synth(cohort).exception)
    assert _contents(cohort) == before


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert isinstance(synth(tmp_path).exception, OtherCohort)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_fewer_screened_than_included_is_refused(tmp_path: Path) -> None:
    result = synth(tmp_path / "none", "--screened", "3")
    assert result.exit_code == 2
    assert "3 screened, expected at least the 5 patients" in result.output
    assert not (tmp_path / "none").exists()


def test_a_lesion_for_which_a_chest_has_no_place_is_said_of_its_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_facts: object) -> None:
        raise NoPlaceForLesion("no place for a lesion of 80 mm in the left upper lobe")

    monkeypatch.setattr(cohort_drawing, "chest", full)
    result = synth(tmp_path / "cohort")
    assert isinstance(result.exception, CannotDraw)
    assert "80 mm in the left upper lobe; another --seed" in str(result.exception)
    assert not list((tmp_path / "cohort").glob("dicom/*"))
