import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from inference.bundle import CARD, WEIGHTS, Bundle, Card, load_bundle
from inference.classifier import Classifier
from inference.dataset.folder import CASES, IMAGES, BadDataset, open_dataset
from inference.dataset.leaks import Leak
from inference.dataset.manifest import Mode
from inference.evaluation.discrimination import auc
from inference.evaluation.subject import from_json, probabilities_of, truth_of
from inference.foreign_weights import BadWeights
from inference.resnet import ResNet
from inference.training import train as training
from inference.training.checkpoint import CHECKPOINT, load
from inference.training.finish import BUNDLE, PREDICTIONS, SELECTION
from inference.training.fit import Diverged, Stopped
from inference.training.history import CURVES, HISTORY, Epoch
from inference.training.recipe import Recipe
from inference.training.run import RUN, OtherTraining
from inference.training.scoring import scored
from inference.training.train import NotEnoughMemory, train
from inference.training.watch import Batch, Watch
from tests.datasets import write_dataset
from tests.trainings import tiny_recipe

QUIET = Watch()


def trained(recipe: Recipe, watch: Watch = QUIET) -> Bundle:
    outcome = train(recipe, watch)
    assert outcome is not None
    return load_bundle(outcome.bundle)


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "out" / BUNDLE / WEIGHTS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing has interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    write_dataset(folder / "data", train=12, selection=6, test=6)
    trained(tiny_recipe(folder))
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A folder with the same dataset and no training."""
    (tmp_path / "data").symlink_to(whole / "data")
    return tmp_path


def test_a_training_leaves_a_bundle_predictions_and_curves(whole: Path) -> None:
    assert {path.name for path in (whole / "out").iterdir()} == {
        BUNDLE, PREDICTIONS, SELECTION, HISTORY, CURVES, RUN,
    }  # fmt: skip
    rows = [json.loads(line) for line in (whole / "out" / HISTORY).read_text().splitlines()]
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_predictions_are_the_bundles_on_the_test_part(whole: Path) -> None:
    dataset = open_dataset(whole / "data")
    split = dataset.split(None)
    classify = Classifier(load_bundle(whole / "out" / BUNDLE))
    for file, names in ((PREDICTIONS, split.test), (SELECTION, split.selection)):
        kept = from_json((whole / "out" / file).read_bytes())
        assert kept == scored(dataset, names, classify)
        assert [subject.name for subject in kept] == list(names)


def test_the_card_tells_of_the_data_and_the_figures_of_the_test_part(whole: Path) -> None:
    card = load_bundle(whole / "out" / BUNDLE).card
    test = from_json((whole / "out" / PREDICTIONS).read_bytes())
    figures = {metric.name: metric for metric in card.metrics}
    assert figures["AUC"].value == auc(truth_of(test), probabilities_of(test))
    assert figures["AUC"].patients == 6
    assert figures["AUC of the size alone"].value == 1.0
    called = probabilities_of(test) >= card.threshold
    assert figures["accuracy"].value == np.mean(called == truth_of(test))
    assert "12 (6 PIMA, 6 IPN), 36 slices, begun with random weights" in card.training_data
    assert "Confirmed by follow_up 12, histology 12" in card.training_data
    assert card.calibration is not None
    assert card.calibration.patients == 6
    assert card.preprocessing.outside_lungs == "zero"


def test_a_bundle_of_phantoms_says_so_on_every_output(whole: Path, folder: Path) -> None:
    said = load_bundle(whole / "out" / BUNDLE).identity.statements
    assert said == (
        "Research use only, not for diagnosis.",
        "Trained on synthetic phantoms, no clinical meaning.",
    )
    write_dataset(folder / "patients", synthetic=False)
    real = tiny_recipe(folder, dataset=folder / "patients", optimiser={"epochs": 1})
    assert trained(real).identity.statements == said[:1]


def test_a_finished_training_says_so_and_changes_nothing(whole: Path) -> None:
    before = (whole / "out" / BUNDLE / CARD).stat().st_mtime_ns
    outcome = train(tiny_recipe(whole), QUIET)
    assert outcome is not None
    assert not outcome.anew
    assert (whole / "out" / BUNDLE / CARD).stat().st_mtime_ns == before
    with pytest.raises(OtherTraining, match="seed was 3 and is 5"):
        train(tiny_recipe(whole, seed=5), QUIET)


def test_the_same_seed_gives_the_same_bundle_and_another_one_another(whole: Path, folder: Path) -> None:
    trained(tiny_recipe(folder))
    for file in (WEIGHTS, CARD):
        assert (folder / "out" / BUNDLE / file).read_bytes() == (whole / "out" / BUNDLE / file).read_bytes()
    trained(tiny_recipe(folder, seed=4, out=folder / "other"))
    other = load_file(folder / "other" / BUNDLE / WEIGHTS)
    assert not all(torch.equal(value, other[name]) for name, value in weights(whole).items())


@pytest.mark.parametrize("stop_at", [(1, 2), (3, 4)])
def test_a_stopped_training_goes_on_to_the_same_weights(
    whole: Path, folder: Path, stop_at: tuple[int, int]
) -> None:
    seen: list[Batch] = []
    asked = Watch(
        on_batch=seen.append,
        stop_asked=lambda: bool(seen) and (seen[-1].epoch, seen[-1].number) == stop_at,
    )
    with pytest.raises(Stopped, match=f"epoch {stop_at[0]}, batch {stop_at[1] + 1} of 6"):
        train(tiny_recipe(folder), asked)
    kept = load(folder / "out")
    assert (len(kept.history) if kept else 0) == stop_at[0] - 1
    epochs: list[Epoch] = []
    trained(tiny_recipe(folder), Watch(on_epoch=epochs.append))
    assert epochs[0].number == stop_at[0]
    assert weights(folder).keys() == weights(whole).keys()
    assert all(torch.equal(value, weights(folder)[name]) for name, value in weights(whole).items())


DIES = """
import os, signal, sys
from pathlib import Path
from inference.training import durable
from inference.training.train import train
from inference.training.watch import Watch
from tests.trainings import tiny_recipe

def die():
    os.kill(os.getpid(), signal.SIGKILL)

folder, where = Path(sys.argv[1]), sys.argv[2]
epochs = []
def on_batch(batch):
    if where == "batch" and (batch.epoch, batch.number) == (3, 2):
        die()
def sync(path, really=durable._sync):
    if where == "checkpoint" and path.name == ".checkpoint.pt.part" and len(epochs) == 2:
        os.truncate(path, os.path.getsize(path) // 2)
        die()
    really(path)
durable._sync = sync
train(tiny_recipe(folder), Watch(on_batch=on_batch, on_epoch=epochs.append))
"""


@pytest.mark.parametrize("where", ["batch", "checkpoint"])
def test_a_killed_training_goes_on_to_the_same_weights_to_the_last_bit(
    whole: Path, folder: Path, where: str
) -> None:
    child = subprocess.run([sys.executable, "-c", DIES, folder, where], check=False, capture_output=True)
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    kept = load(folder / "out")
    assert kept is not None
    assert len(kept.history) == 2
    trained(tiny_recipe(folder))
    assert (folder / "out" / BUNDLE / WEIGHTS).read_bytes() == (whole / "out" / BUNDLE / WEIGHTS).read_bytes()
    assert (folder / "out" / PREDICTIONS).read_bytes() == (whole / "out" / PREDICTIONS).read_bytes()


def test_a_changed_dataset_is_refused(folder: Path) -> None:
    with pytest.raises(Stopped):
        train(tiny_recipe(folder), _stopping_in_epoch(2))
    write_dataset(folder / "other", train=12, selection=6, test=6, seed=9)
    with pytest.raises(OtherTraining, match="dataset digest was"):
        train(tiny_recipe(folder, dataset=folder / "other"), QUIET)


def _stopping_in_epoch(number: int) -> Watch:
    seen: list[Epoch] = []
    return Watch(on_epoch=seen.append, stop_asked=lambda: len(seen) == number - 1)


def test_a_damaged_dataset_is_refused_before_the_first_epoch(folder: Path) -> None:
    write_dataset(folder / "damaged")
    image = folder / "damaged" / CASES / "case-0003" / IMAGES
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    image.write_bytes(content)
    with pytest.raises(BadDataset, match=r"case-0003/images\.npy: sha256"):
        train(tiny_recipe(folder, dataset=folder / "damaged"), QUIET)


def test_a_part_without_a_class_is_refused_before_anything_is_written(folder: Path) -> None:
    write_dataset(folder / "alike", selection=1)
    with pytest.raises(Leak, match="selection"):
        train(tiny_recipe(folder, dataset=folder / "alike"), QUIET)
    assert not (folder / "out").exists()


def test_paper_mode_fits_no_decision_and_says_that_it_is_optimistic(folder: Path) -> None:
    write_dataset(folder / "paper", mode=Mode.PAPER)
    recipe = tiny_recipe(
        folder, dataset=folder / "paper", decision={"threshold": "youden"}, optimiser={"epochs": 1}
    )
    card = trained(recipe).card
    assert (card.calibration, card.threshold) == (None, 0.5)
    assert any("optimistic" in limit for limit in card.limits)
    assert "the same patients" in card.training_data


def test_the_threshold_may_be_youdens_of_the_selection_part(folder: Path) -> None:
    card = trained(tiny_recipe(folder, decision={"threshold": "youden", "calibrate": False})).card
    selection = from_json((folder / "out" / SELECTION).read_bytes())
    truth, called = truth_of(selection), probabilities_of(selection) >= card.threshold
    assert card.calibration is None
    assert (called == truth).all() == (auc(truth, probabilities_of(selection)) == 1.0)


def test_processes_that_read_change_nothing(whole: Path, folder: Path) -> None:
    trained(tiny_recipe(folder, hardware={"threads": 1, "workers": 1}))
    assert (folder / "out" / BUNDLE / WEIGHTS).read_bytes() == (whole / "out" / BUNDLE / WEIGHTS).read_bytes()


def test_mixed_precision_trains(folder: Path) -> None:
    bundle = trained(
        tiny_recipe(folder, hardware={"threads": 1, "precision": "bf16-mixed"}, optimiser={"epochs": 1})
    )
    assert all(value.dtype != torch.bfloat16 for value in load_file(bundle.weights).values())


def test_no_better_epoch_ends_it(folder: Path) -> None:
    epochs: list[Epoch] = []
    still = {"epochs": 30, "patience": 2, "rate": 1e-12, "head_rate": 1e-12, "batch_size": 6}
    trained(tiny_recipe(folder, optimiser=still), Watch(on_epoch=epochs.append))
    kept = max(epochs, key=lambda epoch: epoch.rank)
    assert len(epochs) == kept.number + 2 < 30


def test_a_loss_that_is_no_number_stops_with_epoch_and_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Batch] = []
    monkeypatch.setattr(ResNet, "head", _spoilt_after(ResNet.head, seen, 8))
    with pytest.raises(Diverged) as raised:
        train(tiny_recipe(folder), Watch(on_batch=seen.append))
    assert "the loss is nan in epoch 2, batch 3 of 6" in str(raised.value)
    assert "optimiser.rate" in str(raised.value)
    kept = load(folder / "out")
    assert kept is not None
    assert all(value.isfinite().all() for value in kept.best.values())


def _spoilt_after(head: Any, seen: list[Batch], steps: int) -> Any:
    def spoilt(network: ResNet, features: Tensor) -> Tensor:
        logits: Tensor = head(network, features)
        return logits * float("nan") if len(seen) >= steps else logits

    return spoilt


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_is_said_with_batch_and_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object) -> Tensor:
        raise error

    monkeypatch.setattr(ResNet, "features", full)
    with pytest.raises(NotEnoughMemory, match=r"on cpu for 6 slices at once of 32 x 32 pixels"):
        train(tiny_recipe(folder), QUIET)


def test_another_error_of_torch_is_none_of_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(ResNet, "features", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        train(tiny_recipe(folder), QUIET)


def test_without_a_network_there_is_advice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(training, "initial_weights", away)
    with pytest.raises(BadWeights, match="Without a network name a file of them"):
        train(tiny_recipe(folder, initial="imagenet"), QUIET)


def test_torch_is_left_as_it_was(whole: Path) -> None:
    assert whole.exists()
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads()))


def test_a_card_of_the_training_is_a_card(whole: Path) -> None:
    Card.model_validate_json((whole / "out" / BUNDLE / CARD).read_bytes())
    assert not (whole / "out" / CHECKPOINT).exists()
