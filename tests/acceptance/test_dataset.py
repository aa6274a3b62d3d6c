"""A dataset of real chests: the boxes of Lung-PET-CT-Dx and the readers' contours of LIDC-IDRI put the right slices."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from scipy import ndimage
from typer.testing import CliRunner

from inference.annotations import Annotation, Lesion, Plane
from inference.bundle import Preprocessing
from inference.dataset.folder import Dataset, open_dataset
from inference.dataset.linkage import read_linkage
from inference.dataset.prepare import Prepared, prepare
from inference.marks import boxes, readers
from inference.phantom import as_volume, write_study
from inference.threshold import ThresholdSegmenter
from inference.volume import CtVolume, load
from node.__main__ import cli
from tests.phantom import small_chest

pytestmark = pytest.mark.realdata

SHARP, SOFT, LIDC, PHANTOM = "Lung_Dx-A0002", "SOFT", "LIDC-IDRI-0001", "PHANTOM-000003"
NUMBERS = Preprocessing(slice_thickness_mm=2.5)


@dataclass(frozen=True)
class Real:
    chest: Path
    dataset: Dataset

    def case(self, patient: str) -> str:
        return read_linkage(self.dataset.folder.with_name("ds.linkage.csv"))[patient]

    def volume(self, series: str) -> CtVolume:
        return load(sorted((self.chest / series).glob("*.dcm")))

    def boxes(self, volume: CtVolume) -> list[boxes.Box]:
        files = {path.stem: path for path in (self.chest / "lung_dx_A0002" / "boxes").iterdir()}
        here = [files[uid] for uid in volume.sop_instance_uids if uid in files]
        return [box for file in here for box in boxes.read_boxes(file)]

    def reading(self) -> readers.Reading:
        return readers.read_json(self.chest / "lidc_0001_nodule16" / "contours.json")


@pytest.fixture(scope="module")
def real(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    """The tumour's study with both kernels, its soft series again as another patient's, the nodule, and a phantom."""
    chest, folder = real_data / "chest", tmp_path_factory.mktemp("real")
    shutil.copytree(chest / "lung_dx_A0002" / "B40f", folder / "dicom" / "soft")
    for file in (folder / "dicom" / "soft").iterdir():
        ds = dcmread(file)
        ds.PatientID, ds.StudyInstanceUID = SOFT, "1.2.3.4"
        ds.save_as(file)
    for name in ("lung_dx_A0002/B70f", "lung_dx_A0002/boxes", "lidc_0001_nodule16"):
        shutil.copytree(chest / name, folder / "dicom" / name)
    phantom = small_chest()
    write_study(phantom, folder / "dicom" / "phantom")
    shown = [as_volume(phantom).sop_instance_uids[k] for k in np.flatnonzero(phantom.lesion.any(axis=(1, 2)))]
    _csv(folder / "slices.csv", "sop_instance_uid", shown)
    _csv(
        folder / "patients.csv",
        "patient_id,label",
        [f"{SHARP},PIMA", f"{SOFT},PIMA", f"{LIDC},IPN", f"{PHANTOM},IPN"],
    )
    _csv(
        folder / "parts.csv",
        "patient_id,part",
        [f"{SHARP},train", f"{SOFT},test", f"{LIDC},train", f"{PHANTOM},test"],
    )
    _csv(folder / "config.toml", "[inference]", ['segmenter = "threshold"'])
    command = (
        "dataset build ds --table patients.csv --dicom dicom --slices slices.csv --split-table parts.csv --mode paper"
        " --slice-mm 2.5 --processes 2 --config config.toml"
    )
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        result = CliRunner().invoke(cli, command.split(), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return Real(chest, open_dataset(folder / "ds"))


def _csv(file: Path, header: str, lines: Sequence[str]) -> None:
    file.write_text("\n".join([header, *lines, ""]))


def prepared(volume: CtVolume, annotation: Annotation) -> Prepared:
    return prepare(volume, [annotation], ThresholdSegmenter(), NUMBERS, minimum_lung_ml=500.0)


def assert_holds(real: Real, patient: str, made: Prepared) -> None:
    """The case is what was made in this process."""
    case = real.case(patient)
    assert (real.dataset.images(case) == made.images).all()
    assert (real.dataset.lungs(case) == made.lungs).all()
    assert (real.dataset.lesion(case) == made.lesion).all()


@pytest.mark.parametrize(
    ("patient", "series", "count"), [(SHARP, "lung_dx_A0002/B70f", 8), (SOFT, "lung_dx_A0002/B40f", 10)]
)
def test_the_slices_of_a_case_are_those_with_a_box(real: Real, patient: str, series: str, count: int) -> None:
    volume = real.volume(series)
    made = prepared(volume, boxes.as_annotation(real.boxes(volume), volume))
    boxed = {path.stem for path in (real.chest / "lung_dx_A0002" / "boxes").iterdir()}
    assert made.sop_instance_uids == tuple(uid for uid in volume.sop_instance_uids if uid in boxed)
    assert len(made.sop_instance_uids) == count
    assert_holds(real, patient, made)


def test_the_slices_of_a_case_are_those_that_two_readers_outlined(real: Real) -> None:
    volume = real.volume("lidc_0001_nodule16")
    made = prepared(volume, readers.as_annotation(real.reading(), volume, agreeing=2))
    content = json.loads((real.chest / "lidc_0001_nodule16" / "contours.json").read_text())
    outlined = [{contour["z"] for contour in reader["contours"]} for reader in content["readers"]]
    heights = dict(zip(volume.sop_instance_uids, (z for _, _, z in volume.positions_mm), strict=True))
    expected = [z for z in sorted(heights.values()) if sum(z in reader for reader in outlined) >= 2]
    assert [heights[uid] for uid in made.sop_instance_uids] == expected
    assert expected == [-125.0, -122.5, -120.0, -117.5, -115.0, -112.5, -110.0, -107.5]
    assert_holds(real, LIDC, made)
    assert made.size_mm == pytest.approx(31.2, abs=0.1)


def test_where_one_reader_is_enough_his_slice_is_there_too(real: Real) -> None:
    volume = real.volume("lidc_0001_nodule16")
    [lesion] = readers.as_annotation(real.reading(), volume, agreeing=1).lesions
    assert len(lesion.shapes) == 9


def test_of_the_study_with_two_kernels_the_sharp_one_is_taken(real: Real) -> None:
    cases = real.dataset.cases
    assert cases[real.case(SHARP)].kernel == "B70f"
    assert cases[real.case(SOFT)].kernel == "B40f"
    assert {case.marked_by for case in cases.values()} == {"Boxes", "Readers' contours", "Slice list"}
    assert not real.dataset.manifest.synthetic


def test_boxes_lie_where_the_tumour_is_in_both_directions(real: Real) -> None:
    """That is, x counts columns from the left and y rows from the top: moved anywhere, they hold less of it."""
    volume = real.volume("lung_dx_A0002/B70f")
    [lesion] = boxes.as_annotation(real.boxes(volume), volume).lesions
    tissue = (volume.hu > -300) & ThresholdSegmenter()(volume)
    planes = [(tissue[k], mask) for k, mask in masks(lesion, volume)]

    def held(rows: int, columns: int) -> float:
        return float(
            np.mean([plane[np.roll(mask, (rows, columns), (0, 1))].mean() for plane, mask in planes])
        )

    for moved in (10, 30):
        for rows, columns in ((moved, 0), (-moved, 0), (0, moved), (0, -moved)):
            assert held(rows, columns) < held(0, 0)
    assert held(0, 0) > 0.5


def masks(lesion: Lesion, volume: CtVolume) -> list[tuple[int, NDArray[np.bool_]]]:
    """By slice."""
    return [
        (volume.positions_mm.index(shape.position_mm), shape.mask)
        for shape in lesion.shapes
        if isinstance(shape, Plane)
    ]


def test_a_contour_of_lidc_counts_pixels_from_0_and_runs_just_outside_the_nodule(real: Real) -> None:
    volume = real.volume("lidc_0001_nodule16")
    heights = [z for _, _, z in volume.positions_mm]
    contours = [c for reader in real.reading().readers for c in reader]

    def on_contour(dx: int, dy: int) -> NDArray[np.float64]:
        values = [
            volume.hu[heights.index(c.z_mm)][int(y) + dy, int(x) + dx] for c in contours for x, y in c.points
        ]
        return np.asarray(values, dtype=np.float64)

    spread = {(dx, dy): on_contour(dx, dy).std() for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
    assert min(spread, key=lambda shift: spread[shift]) == (0, 0)
    nodule, lung = -71.0, -722.0  # HU four pixels inside and outside of the contours
    edge = (nodule + lung) / 2.0
    inner = []
    for reader in real.reading().readers:
        alone = readers.Reading(volume.series_instance_uid, (reader,))
        for k, mask in masks(readers.as_annotation(alone, volume, agreeing=1).lesions[0], volume):
            inner.append(volume.hu[k][mask & ~ndimage.binary_erosion(mask)].mean())
    assert on_contour(0, 0).mean() < edge < np.mean(inner)
