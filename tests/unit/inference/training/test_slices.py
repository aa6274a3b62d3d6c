import numpy as np
import pytest
import torch
from scipy.ndimage import rotate

from inference.dataset.folder import Dataset
from inference.training.augment import augmented
from inference.training.slices import Batches, Slices, chance, images_of
from tests.datasets import write_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_dataset(tmp_path_factory.mktemp("data"), train=6)


def test_a_slice_is_what_was_written_and_zero_outside_the_lungs(dataset: Dataset) -> None:
    stored = dataset.images("case-0000") / 65535.0
    kept, zeroed = (images_of(dataset, "case-0000", outside) for outside in ("keep", "zero"))
    assert kept == pytest.approx(stored, abs=1e-7)
    assert zeroed == pytest.approx(np.where(dataset.lungs("case-0000"), stored, 0.0), abs=1e-7)
    assert kept[:, :2].max() > 0 == zeroed[:, :2].max()


def test_every_slice_is_there_with_the_label_of_its_patient(dataset: Dataset) -> None:
    slices = Slices(dataset, ["case-0002", "case-0001"], "zero")
    assert len(slices) == 6
    image, label = slices[4]
    assert torch.equal(image, torch.from_numpy(images_of(dataset, "case-0001", "zero")[1:2]))
    assert [slices[k][1].item() for k in range(6)] == [1.0] * 3 + [0.0] * 3
    assert label.dtype == torch.float32


def test_the_positive_class_weighs_as_much_as_the_other(dataset: Dataset) -> None:
    assert Slices(dataset, ["case-0000", "case-0001", "case-0003"], "zero").positive_weight == 2.0


@pytest.mark.parametrize(("slices", "size"), [(13, 4), (12, 4), (3, 8), (1409, 16)])
def test_an_epoch_takes_each_slice_once_in_batches_of_nearly_one_size(slices: int, size: int) -> None:
    batches = Batches(slices, size, seed=1)
    drawn = list(batches)
    assert sorted(k for batch in drawn for k in batch) == list(range(slices))
    assert len(drawn) == len(batches)
    sizes = {len(batch) for batch in drawn}
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("slices", "size", "ranks"), [(21, 2, 1), (5, 4, 2), (9, 8, 4), (35, 6, 4), (8, 8, 4)]
)
def test_no_process_is_ever_given_a_single_slice(slices: int, size: int, ranks: int) -> None:
    shares = [list(Batches(slices, size, seed=1, rank=rank, ranks=ranks)) for rank in range(ranks)]
    assert min(len(batch) for share in shares for batch in share) >= min(2, slices // ranks)
    assert sorted(k for share in shares for batch in share for k in batch) == list(range(slices))


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    one, same, other = (Batches(50, 8, seed=seed) for seed in (1, 1, 2))
    list(one)  # an epoch that was drawn before changes nothing
    one.epoch = same.epoch = 7
    assert list(one) == list(same)
    other.epoch = 7
    assert list(other) != list(same)
    same.epoch = 8
    assert list(one) != list(same)


def test_processes_share_every_batch() -> None:
    whole = list(Batches(50, 8, seed=1))
    shares = [list(Batches(50, 8, seed=1, rank=rank, ranks=2)) for rank in (0, 1)]
    assert [sorted(a + b) for a, b in zip(*shares, strict=True)] == [sorted(batch) for batch in whole]


def test_chance_differs_with_each_number() -> None:
    drawn = {
        torch.rand(1, generator=chance(*numbers)).item() for numbers in ((1, 2), (2, 1), (1, 3), (1, 2, 0))
    }
    assert len(drawn) == 4


def test_without_a_turn_pixels_are_mirrored_or_left_and_nothing_else() -> None:
    images = torch.rand(64, 1, 8, 8, generator=chance(1))
    moved = augmented(images, degrees=0.0, generator=chance(2))
    mirrored = [torch.equal(new, old.flip(-1)) for new, old in zip(moved, images, strict=True)]
    left = [torch.equal(new, old) for new, old in zip(moved, images, strict=True)]
    assert 20 < sum(mirrored) < 44
    assert sum(mirrored) + sum(left) == 64


def test_nothing_asked_for_changes_nothing() -> None:
    images = torch.rand(4, 1, 8, 8, generator=chance(1))
    assert torch.equal(augmented(images, degrees=0.0, flip=False, generator=chance(2)), images)


def test_a_turn_alone_is_scipys_and_never_mirrors() -> None:
    image = np.zeros((1, 1, 33, 33), dtype=np.float32)
    image[0, 0, 8:12, 20:26] = 1.0
    turned = augmented(torch.from_numpy(image), degrees=10.0, flip=False, generator=chance(5)).numpy()[0, 0]
    angle = (2 * torch.rand(1, generator=chance(5)) - 1).item() * 10.0
    assert abs(angle) > 1
    errors = [
        np.abs(rotate(image[0, 0], sign * angle, reshape=False, order=1) - turned).max() for sign in (1, -1)
    ]
    assert min(errors) < 1e-3
