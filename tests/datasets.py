"""Small dataset folders: noise with a bright blob in the middle for PIMA, as `sedas-node dataset build` would leave them."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.bundle import Preprocessing
from inference.dataset.folder import CASES, IMAGES, LESION, LUNGS, WHITE, Dataset, open_dataset
from inference.dataset.manifest import MANIFEST, Case, Manifest, Mode, Segmenter, Split
from inference.evaluation.flow import Flow, Group
from inference.evaluation.subject import Period, Sex

SIZE = 32  # pixels


def write_dataset(
    folder: Path,
    *,
    train: int = 8,
    selection: int = 4,
    test: int = 4,
    slices: int = 3,
    mode: Mode = Mode.INNER,
    size: int = SIZE,
    synthetic: bool = True,
    seed: int = 1,
) -> Dataset:
    """Every other patient has PIMA; in paper mode the test part selects."""
    rng = np.random.default_rng(seed)
    names = [f"case-{number:04d}" for number in range(train + selection + test)]
    cases = tuple(
        _write_case(folder, name, number % 2 == 0, slices, size, rng) for number, name in enumerate(names)
    )
    tested = tuple(names[train + selection :])
    split = Split(
        name="main",
        mode=mode,
        train=tuple(names[: train + selection * (mode is Mode.PAPER)]),
        selection=tested if mode is Mode.PAPER else tuple(names[train : train + selection]),
        test=tested,
    )
    manifest = Manifest(
        name="blobs",
        version="1",
        software="sedas-node 0",
        preprocessing=Preprocessing(pixel_mm=11.2, size=size),
        segmenter=Segmenter(name="threshold-lungs", version="2", digest="0"),
        cases=cases,
        splits=(split,),
        split_by="in turn",
        flow=_flow(cases),
        synthetic=synthetic,
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    return open_dataset(folder)


def _write_case(
    folder: Path, name: str, positive: bool, slices: int, size: int, rng: np.random.Generator
) -> Case:
    place = slice(size // 4, 3 * size // 4)
    images = rng.random((slices, size, size)) * 0.5
    images[:, place, place] += 0.5 * positive
    lungs = np.ones(images.shape, dtype=np.bool_)
    lungs[:, :2] = False
    lesion = np.zeros(images.shape, dtype=np.bool_)
    lesion[:, place, place] = True
    return write_case(folder, name, positive, images, lungs, lesion)


def write_case(
    folder: Path,
    name: str,
    positive: bool,
    images: NDArray[np.floating],
    lungs: NDArray[np.bool_],
    lesion: NDArray[np.bool_],
) -> Case:
    """The arrays of one patient, images in 0..1, and what the manifest says of it."""
    number = int(name.removeprefix("case-"))
    arrays = {IMAGES: np.round(images * WHITE).astype(np.uint16), LUNGS: lungs, LESION: lesion}
    digests = {file: _put(folder / CASES / name / file, array) for file, array in arrays.items()}
    return Case(
        name=name,
        label="PIMA" if positive else "IPN",
        confirmed_by="histology" if positive else "follow_up",
        size_mm=50.0 + number if positive else 20.0 + number,
        lobe="RLL",
        sex=Sex.FEMALE if number % 3 else Sex.MALE,
        age_years=50 + number % 40,
        year=2024,
        period=Period.EARLIER if number % 2 else Period.LATER,
        site="",
        hard=None,
        scanner="Phantom Works Chest 1",
        kernel="B70f",
        slice_thickness_mm=5.0,
        marked_by="key objects",
        slice_sha256=tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in arrays[IMAGES]),
        images_sha256=digests[IMAGES],
        lungs_sha256=digests[LUNGS],
        lesion_sha256=digests[LESION],
        prepared_by="0" * 64,
    )


def _put(path: Path, array: NDArray[np.generic]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _flow(cases: tuple[Case, ...]) -> Flow:
    positive = sum(case.positive for case in cases)
    return Flow(len(cases), (), (Group("all", positive, len(cases) - positive),))
