"""One training, and how its weights are measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from rich.console import Console
from safetensors.torch import save

from inference.bundle import load_bundle
from inference.classifier import Classifier
from inference.network import build
from inference.training.embedded.card import ARCHITECTURE, write_bundle
from inference.training.embedded.cohort import Case
from inference.training.embedded.fit import Epoch, Recipe, fit
from inference.training.embedded.held_out import Verdict, verdict


@dataclass(frozen=True, eq=False)
class Experiment:
    name: str
    train: Sequence[Case]
    validation: Sequence[Case]  # chooses the epoch


@dataclass(frozen=True)
class Trained:
    weights: bytes  # safetensors
    best: Epoch


def trained(experiment: Experiment, recipe: Recipe) -> Trained:
    """On one thread, so that the weights do not depend on what runs beside it."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(recipe.seed)
    network = build(ARCHITECTURE)
    console = Console()
    best = fit(
        network,
        experiment.train,
        experiment.validation,
        recipe,
        on_epoch=lambda epoch: console.print(f"{experiment.name}: {_line(epoch)}"),
    )
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    return Trained(save(weights), best)


def measured(weights: bytes, test: Sequence[Case]) -> tuple[Verdict, ...]:
    """Through the service's own loading."""
    with TemporaryDirectory() as folder:
        write_bundle(Path(folder), weights, training_data="being measured", metrics=())
        classify = Classifier(load_bundle(Path(folder)))
    return tuple(verdict(classify, case) for case in test)


def _line(epoch: Epoch) -> str:
    return (
        f"epoch {epoch.number}: loss {epoch.loss:.4f},"
        f" validation loss {epoch.validation_loss:.4f}, AUC {epoch.validation_auc:.4f}"
    )
