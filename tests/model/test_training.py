"""Training on tiny data: it learns, it repeats itself, and its figures are right."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from inference.bundle import Architecture, Preprocessing
from inference.network import build
from inference.phantom import LesionKind
from inference.resnet import ResNet
from inference.training.augment import augmented
from inference.training.cohort import (
    MOST_SLICES,
    Case,
    MakeCase,
    Patient,
    drawn_case,
    patients,
    scanned_case,
    split,
)
from inference.training.fit import Epoch, Recipe, fit, patient_scores
from inference.training.metrics import NotComputable, auc, auc_interval, wilson

TINY = Architecture(layers=(1, 1, 1, 1), width=4, channels=1)


def drawn(seed: int, kind: LesionKind) -> Case:
    """Bright on the left or on the top: what a tiny network tells apart at once."""
    images = np.random.default_rng(seed).random((2, 64, 64)).astype(np.float16) * 0.2
    if kind is LesionKind.PIMA_LIKE:
        images[:, 20:44, 20:44] += 0.7
    return Case(Patient(seed, kind, 30.0), images.astype(np.float16))


COHORT = [drawn(p.seed, p.kind) for p in patients(8, seed=1)]


def trained(seed: int) -> tuple[ResNet, Epoch]:
    torch.manual_seed(seed)
    network = build(TINY)
    recipe = Recipe(epochs=8, patience=8, batch_size=4, seed=seed)
    return network, fit(network, COHORT, COHORT, recipe, on_epoch=lambda _epoch: None)


def test_it_overfits_eight_patients() -> None:
    network, best = trained(1)
    scores, positive = patient_scores(network, COHORT)
    assert best.validation_auc == 1.0
    assert auc(scores, positive) == 1.0


def test_the_same_seed_gives_the_same_weights() -> None:
    one, same, other = (trained(seed)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_no_improvement_ends_the_training_and_the_best_weights_stay() -> None:
    seen: list[Epoch] = []
    network = build(TINY)
    recipe = Recipe(epochs=50, patience=2, learning_rate=0.0)
    best = fit(network, COHORT, COHORT, recipe, on_epoch=seen.append)
    assert len(seen) < 50
    assert len(seen) == best.number + 2


def test_no_patient_is_in_two_parts_and_each_part_has_both_classes() -> None:
    parts = split(patients(20, seed=3), (0.6, 0.2))
    seeds = [{patient.seed for patient in part} for part in parts]
    assert [len(part) for part in parts] == [12, 4, 4]
    assert len(set.union(*seeds)) == 20
    assert all(sum(patient.is_pima for patient in part) * 2 == len(part) for part in parts)


@pytest.mark.parametrize("make", [drawn_case, scanned_case])
def test_a_case_holds_the_slices_that_show_the_lesion(make: MakeCase) -> None:
    made = make(Patient(4, LesionKind.IPN_LIKE, 30.0), Preprocessing(pixel_mm=2.8, size=128))
    assert 1 < len(made.images) <= MOST_SLICES
    assert made.images.shape[1:] == (128, 128)
    assert 0 <= made.images.min() < made.images.max() <= 1


def test_augmentation_mirrors_and_turns_and_nothing_else() -> None:
    image = torch.zeros(64, 1, 33, 33)
    image[:, :, 16, 26] = 1.0  # to the right of the middle
    moved = augmented(image, degrees=10.0, generator=torch.Generator().manual_seed(1))
    columns = torch.arange(33.0)
    middle = (moved.sum(dim=(1, 2)) * columns).sum(dim=1) / moved.sum(dim=(1, 2, 3))
    assert 20 < (middle < 16).sum() < 44  # about half are mirrored
    assert ((middle - 16).abs() > 9.0).all()  # cos(10 degrees) of 10 pixels


@pytest.mark.parametrize("seed", range(5))
def test_the_auc_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 8, 40) / 8, rng.random(40) < 0.4
    assert auc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))
    interval = auc_interval(scores, positive, resamples=200, rng=rng)
    assert interval.low <= interval.value <= interval.high


def test_figures_of_nobody_are_refused() -> None:
    with pytest.raises(NotComputable, match="0 positive of 3 patients"):
        auc(np.zeros(3), np.zeros(3, dtype=np.bool_))
    with pytest.raises(NotComputable):
        wilson(0, 0)


def test_wilson_gives_the_published_interval() -> None:
    interval = wilson(38, 38)  # the paper's sensitivity, lower bound 0.908 by Wilson
    assert (interval.value, interval.low, interval.high) == pytest.approx((1.0, 0.908, 1.0), abs=5e-4)
