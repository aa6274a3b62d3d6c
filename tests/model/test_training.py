"""Training on tiny data: it learns, and it repeats itself."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from inference.bundle import Architecture, Preprocessing
from inference.evaluation.discrimination import auc
from inference.evaluation.estimate import computed
from inference.network import build
from inference.phantom import SHARP_KERNEL, LesionKind
from inference.preprocess import Frame
from inference.resnet import ResNet
from inference.threshold import ThresholdSegmenter
from inference.training.augment import augmented, patches
from inference.training.embedded.cohort import (
    LIKE_THE_PAPER,
    MOST_SLICES,
    SIZES_MATCHED,
    Case,
    MakeCase,
    Patient,
    drawn_case,
    patients,
    scanned_case,
    shuffled,
    split,
)
from inference.training.embedded.fit import Epoch, Recipe, fit, patient_scores, stray
from inference.training.embedded.shelf import shelved_case

TINY = Architecture(layers=(1, 1, 1, 1), width=4, channels=1)


NUMBERS = Preprocessing(pixel_mm=2.8, size=128)
NODULE = Patient(4, LesionKind.IPN_LIKE, size_mm=30.0, slice_mm=5.0, noise_hu=20.0, kernel=SHARP_KERNEL)


def squares(patient: Patient) -> Case:
    """A bright square or none: what a tiny network tells apart at once."""
    images = np.random.default_rng(patient.seed).random((2, 64, 64)) * 0.2
    lesion = np.zeros(images.shape, dtype=np.bool_)
    lesion[:, 20:44, 20:44] = True
    if patient.is_pima:
        images[lesion] += 0.7
    same = np.eye(64, dtype=np.float32)
    return Case(patient, patient.is_pima, images.astype(np.float16), lesion, Frame(same, same, same, same))


COHORT = [squares(patient) for patient in patients(8, 1, LIKE_THE_PAPER)]


def trained(seed: int) -> tuple[ResNet, Epoch]:
    torch.manual_seed(seed)
    network = build(TINY)
    recipe = Recipe(patch_epochs=2, patch_pixels=48, epochs=6, batch_size=4, seed=seed)
    return network, fit(network, COHORT, COHORT, recipe, on_epoch=lambda _epoch: None)


def test_it_overfits_eight_patients() -> None:
    network, best = trained(1)
    scores, positive = patient_scores(network, COHORT)
    assert best.validation_auc == 1.0
    assert auc(positive, scores) == 1.0


def test_the_same_seed_gives_the_same_weights() -> None:
    one, same, other = (trained(seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_no_improvement_ends_the_training_and_the_best_weights_stay() -> None:
    seen: list[Epoch] = []
    network = build(TINY)
    recipe = Recipe(patch_epochs=0, epochs=50, patience=2, learning_rate=0.0, head_rate=0.0)
    best = fit(network, COHORT, COHORT, recipe, on_epoch=seen.append)
    assert len(seen) < 50
    assert len(seen) == best.number + 2


def test_no_patient_is_in_two_parts_and_each_part_has_both_classes() -> None:
    parts = split(patients(20, 3, LIKE_THE_PAPER), (0.6, 0.2))
    seeds = [{patient.seed for patient in part} for part in parts]
    assert [len(part) for part in parts] == [12, 4, 4]
    assert len(set.union(*seeds)) == 20
    assert all(sum(patient.is_pima for patient in part) * 2 == len(part) for part in parts)


def test_patients_differ_in_every_way_and_sizes_only_where_they_may() -> None:
    paper, matched = (patients(400, 5, variety) for variety in (LIKE_THE_PAPER, SIZES_MATCHED))
    slices, noise = (np.array([getattr(p, name) for p in paper]) for name in ("slice_mm", "noise_hu"))
    positive = np.array([p.is_pima for p in paper])
    assert (slices.min(), slices.max()) == pytest.approx((1.0, 8.0), abs=0.2)
    assert noise.max() > 4 * noise.min()
    assert 0.2 < np.mean([p.kernel != SHARP_KERNEL for p in paper]) < 0.4
    assert computed(auc(positive, np.array([p.size_mm for p in paper]))) > 0.85
    assert auc(positive, np.array([p.size_mm for p in matched])) == pytest.approx(0.5, abs=0.06)


def test_shuffled_labels_say_nothing_of_the_class() -> None:
    dealt = shuffled(COHORT, np.random.default_rng(1))
    assert [case.patient for case in dealt] == [case.patient for case in COHORT]
    assert sum(case.positive for case in dealt) == 4
    assert sum(case.positive == case.patient.is_pima for case in dealt) == 4


@pytest.mark.parametrize(
    "make",
    [
        partial(drawn_case, numbers=NUMBERS),
        partial(scanned_case, numbers=NUMBERS, segment=ThresholdSegmenter()),
    ],
    ids=["drawn", "scanned"],
)
def test_a_case_holds_the_slices_that_show_the_lesion(make: MakeCase) -> None:
    made = make(NODULE)
    assert made.positive is False
    assert 1 < len(made.images) == len(made.lesion) <= 7
    assert made.images.shape[1:] == (NUMBERS.size, NUMBERS.size)
    assert 0 <= made.images.min() < made.images.max() <= 1
    assert made.lesion.any(axis=(1, 2)).all()


def test_training_takes_few_slices_of_a_large_lesion_and_thin_ones_as_slabs() -> None:
    made = drawn_case(replace(NODULE, size_mm=60.0, slice_mm=2.5), NUMBERS)
    assert len(made.images) == MOST_SLICES


def test_a_shelved_case_is_made_once_and_comes_back_as_it_was(tmp_path: Path) -> None:
    patient = COHORT[0].patient
    shelved_case(patient, squares, tmp_path)
    back = shelved_case(patient, _never, tmp_path)
    assert back.positive == COHORT[0].positive
    np.testing.assert_array_equal(back.images, COHORT[0].images)
    np.testing.assert_array_equal(back.lesion, COHORT[0].lesion)
    np.testing.assert_array_equal(back.place.from_rows, COHORT[0].place.from_rows)


def _never(patient: Patient) -> Case:
    raise AssertionError(f"patient {patient.seed} was made again")


def test_only_evidence_outside_the_lesion_strays() -> None:
    features = torch.zeros(1, 2, 4, 4)  # stride 8: places at pixels 0, 8, 16 and 24
    features[0, 0, 1, 1], features[0, 1, 3, 3] = 1.0, 1.0
    lesion = torch.zeros(1, 1, 32, 32)
    lesion[:, :, 4:13, 4:13] = 1.0  # around pixel 8
    assert stray(features, torch.tensor([3.2, 0.0]), lesion, stride=8).item() == 0.0
    assert stray(features, torch.tensor([3.2, -1.6]), lesion, stride=8).item() == pytest.approx(0.1)


def test_augmentation_mirrors_and_turns_and_nothing_else() -> None:
    image = torch.zeros(64, 1, 33, 33)
    image[:, :, 16, 26] = 1.0  # to the right of the middle
    moved = augmented(image, degrees=10.0, generator=torch.Generator().manual_seed(1))
    columns = torch.arange(33.0)
    middle = (moved.sum(dim=(1, 2)) * columns).sum(dim=1) / moved.sum(dim=(1, 2, 3))
    assert 20 < (middle < 16).sum() < 44  # about half are mirrored
    assert ((middle - 16).abs() > 9.0).all()  # cos(10 degrees) of 10 pixels


def test_a_patch_is_cut_around_the_lesion_and_inside_the_image() -> None:
    pairs = torch.zeros(2, 2, 40, 40)
    pairs[0, :, 20, 22] = 1.0
    pairs[1, :, 0, 39] = 1.0
    cut = patches(pairs, 8, generator=torch.Generator().manual_seed(1))
    assert cut.shape == (2, 2, 8, 8)
    assert torch.equal(cut[:, 0], cut[:, 1])
    assert cut[0, 0].nonzero().tolist() == [[4, 4]]
    assert cut[1, 0].nonzero().tolist() == [[0, 7]]
