"""A dataset's slices and the node's own analysis give one probability."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from inference.analyse import Models, Rules, analyse, showing
from inference.annotations import Annotation
from inference.bundle import Calibration, Preprocessing, demonstration, load_bundle
from inference.classifier import Backend, Classifier
from inference.dataset.folder import Dataset, open_dataset
from inference.dataset.manifest import MANIFEST
from inference.findings import AlgorithmIdentity, SlicePolicy, Target
from inference.morphology import Mask
from inference.network import trained
from inference.phantom import Phantom, as_volume
from inference.preprocess import frame, lungs_seen, slabs, windowed
from inference.targets import Region, Selection
from inference.training.bundle_folder import as_safetensors, put_bundle
from inference.training.scoring import scored
from inference.volume import CtVolume
from tests.datasets import write_case, write_dataset
from tests.phantom import small_chest

NUMBERS = Preprocessing(pixel_mm=2.8, size=128)
CALIBRATION = Calibration(slope=1.7, intercept=-0.4, patients=20, data="a test")


@dataclass(frozen=True)
class TrueLungs:
    phantom: Phantom
    identity = AlgorithmIdentity("true-lungs", "1", "0")

    def __call__(self, _volume: CtVolume) -> Mask:
        return self.phantom.lungs


@dataclass(frozen=True)
class TrueLesion:
    phantom: Phantom

    def __call__(self, _volume: CtVolume, _lungs: Mask, _annotations: Sequence[Annotation]) -> Selection:
        return Selection(SlicePolicy.ANNOTATED, (region(self.phantom),))


def region(phantom: Phantom) -> Region:
    shown = tuple(int(k) for k in np.flatnonzero(phantom.lesion.any(axis=(1, 2))))
    return Region(Target(None, None), shown, (0, 0, 0), phantom.lesion)


def classifier(folder: Path, outside: Literal["zero", "keep"], calibration: Calibration | None) -> Classifier:
    """The demonstration's weights on coarser pixels; outside the lungs it has never seen, so its head is damped."""
    card = load_bundle(demonstration()).card
    network = trained(load_bundle(demonstration()))
    network.fc.weight.data *= {"zero": 1.0, "keep": 0.05}[outside]
    weights = as_safetensors(network.state_dict())
    put_bundle(
        folder,
        weights,
        card.model_copy(
            update={
                "preprocessing": NUMBERS.model_copy(update={"outside_lungs": outside}),
                "calibration": calibration,
                "weights_sha256": hashlib.sha256(weights).hexdigest(),
            }
        ),
    )
    return Classifier(load_bundle(folder), backend=Backend.EAGER)


def dataset_of(phantom: Phantom, folder: Path) -> Dataset:
    """The phantom as case-0000, sliced and placed by the service's own steps."""
    volume = as_volume(phantom)
    place = frame(volume, phantom.lungs, NUMBERS)
    cut = showing(region(phantom), slabs(volume, NUMBERS.slice_thickness_mm), at_least=0.0)
    manifest = write_dataset(folder, size=NUMBERS.size, train=2, selection=0, test=0).manifest
    case = write_case(
        folder,
        "case-0000",
        True,
        np.stack([windowed(volume.hu, slab, place, NUMBERS) for slab in cut]),
        np.stack([lungs_seen(phantom.lungs, slab, place) for slab in cut]),
        np.stack([lungs_seen(phantom.lesion, slab, place) for slab in cut]),
    )
    changed = manifest.model_copy(update={"cases": (case, *manifest.cases[1:]), "preprocessing": NUMBERS})
    (folder / MANIFEST).write_text(changed.model_dump_json())
    return open_dataset(folder)


@pytest.mark.parametrize("outside", ["zero", "keep"])
@pytest.mark.parametrize("calibration", [None, CALIBRATION])
def test_a_phantom_gets_from_the_dataset_what_the_node_gives_it(
    tmp_path: Path, outside: Literal["zero", "keep"], calibration: Calibration | None
) -> None:
    phantom = small_chest()
    (tmp_path / "bundle").mkdir()
    classify = classifier(tmp_path / "bundle", outside, calibration)
    models = Models(TrueLungs(phantom), (TrueLesion(phantom),), classify, Rules())
    analysis = analyse(as_volume(phantom), (), models)
    (subject,) = scored(dataset_of(phantom, tmp_path / "data"), ["case-0000"], classify)
    assert subject.slices == len(analysis.slices) > 1
    assert subject.slice_probabilities == pytest.approx([s.probability for s in analysis.slices], abs=1e-3)
    assert subject.probability == pytest.approx(analysis.probability, abs=1e-3)
    assert np.ptp(subject.slice_probabilities) > 0.01


def test_a_subject_has_all_that_the_case_says(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    classify = classifier(tmp_path / "bundle", "zero", None)
    dataset = write_dataset(tmp_path / "data", size=NUMBERS.size, train=2, selection=0, test=0)
    for subject in scored(dataset, dataset.cases, classify):
        case = dataset.cases[subject.name]
        shared = case.model_dump().keys() & vars(subject).keys()
        assert {name: getattr(subject, name) for name in shared} == {
            name: getattr(case, name) for name in shared
        }
        assert {"size_mm", "age_years", "sex", "lobe", "period", "site", "scanner", "kernel", "hard"} < shared
        assert subject.positive == case.positive
