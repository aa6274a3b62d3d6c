"""One training from recipe to bundle; the same call goes on where it was stopped."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from inference.dataset.folder import open_dataset
from inference.dataset.leaks import check
from inference.foreign_weights import BadWeights
from inference.imagenet import initial_weights
from inference.network import build
from inference.resnet import ResNet
from inference.training.checkpoint import CHECKPOINT
from inference.training.finish import BUNDLE, finish
from inference.training.fit import fit
from inference.training.recipe import Recipe
from inference.training.run import Run, claim
from inference.training.watch import Watch

_FULL = ("not enough memory", "can't allocate memory", "out of memory")  # what torch says in a RuntimeError


class NotEnoughMemory(Exception):
    """The training does not fit into the memory of the machine or the device."""


@dataclass(frozen=True)
class Outcome:
    bundle: Path
    anew: bool  # False: it was there


def train(recipe: Recipe, watch: Watch) -> Outcome | None:
    """None in all processes but the first, where there are several."""
    dataset = open_dataset(recipe.dataset)
    check(dataset.manifest)
    split = dataset.split(recipe.split)
    checkpoint, bundle = recipe.out / CHECKPOINT, recipe.out / BUNDLE
    anew, begun = not bundle.exists(), checkpoint.exists()
    if os.environ.get("LOCAL_RANK", "0") == "0":  # of several processes the first
        claim(recipe.out, Run(recipe=recipe, dataset_digest=dataset.digest), begun=begun or not anew)
    if anew:
        dataset.verify({*split.train, *split.selection, *split.test})
        with _memory_in_words(recipe, dataset.manifest.preprocessing.size):
            network = build(recipe.architecture) if begun else _fresh(recipe)
            fitted = fit(network, dataset, split, recipe, watch)
        if fitted is None:
            return None
        finish(fitted, dataset, split, recipe)
    checkpoint.unlink(missing_ok=True)
    return Outcome(bundle, anew)


def _fresh(recipe: Recipe) -> ResNet:
    torch.manual_seed(recipe.seed)
    network = build(recipe.architecture)
    if recipe.initial == "random":
        return network
    try:
        initial_weights(network, None if recipe.initial == "imagenet" else recipe.initial)
    except OSError as error:
        raise BadWeights(
            f"initial weights {recipe.initial}: {error}. Without a network name a file of them (initial)"
        ) from error
    return network


@contextmanager
def _memory_in_words(recipe: Recipe, size: int) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not any(word in str(error) for word in _FULL):
            raise
        raise NotEnoughMemory(
            f"not enough memory on {recipe.hardware.device} for {recipe.optimiser.batch_size} slices at once of"
            f" {size} x {size} pixels. Halve optimiser.batch_size, or on a GPU take precision bf16-mixed; where an"
            " epoch has ended already, in another folder (out)"
        ) from error
