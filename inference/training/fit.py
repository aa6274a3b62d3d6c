"""Training with weighted binary cross-entropy; the weights that rank validation patients best are kept.

What is judged and kept is the moving average of the weights, since single steps of so small a cohort scatter.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from inference.resnet import ResNet
from inference.training.augment import augmented
from inference.training.cohort import Case
from inference.training.metrics import Scores, Truth, auc


@dataclass(frozen=True)
class Recipe:
    epochs: int = 20
    patience: int = 5  # epochs without a better validation AUC
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    degrees: float = 10.0
    averaging: float = 0.98  # of the weights, from step to step
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    number: int
    loss: float  # mean over training slices
    validation_loss: float  # of patients; decides between equal AUCs
    validation_auc: float


def fit(
    network: ResNet,
    train: Sequence[Case],
    validation: Sequence[Case],
    recipe: Recipe,
    *,
    on_epoch: Callable[[Epoch], None],
) -> Epoch:
    """Trains in place and leaves the best weights; the same seed gives the same weights on one machine."""
    images, labels = _slices(train)
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs)
    loss = nn.BCEWithLogitsLoss(pos_weight=(labels == 0).sum() / (labels == 1).sum())
    average = copy.deepcopy(network)
    best: Epoch | None = None
    weights = network.state_dict()
    for number in range(1, recipe.epochs + 1):
        losses = []
        for picked in torch.split(torch.randperm(len(images), generator=generator), recipe.batch_size):
            batch = augmented(images[picked].float(), degrees=recipe.degrees, generator=generator)
            losses.append(_step(network, batch, labels[picked], loss, optimizer))
            _move_towards(average, network, 1.0 - recipe.averaging)
        schedule.step()
        epoch = _judged(average, validation, number, float(np.mean(losses)))
        on_epoch(epoch)
        if best is None or _rank(epoch) > _rank(best):
            best, weights = epoch, {k: v.clone() for k, v in average.state_dict().items()}
        elif number - best.number >= recipe.patience:
            break
    if best is None:
        raise ValueError(f"{recipe.epochs} epochs train nothing")
    network.load_state_dict(weights)
    return best


def patient_scores(network: ResNet, cases: Sequence[Case]) -> tuple[Scores, Truth]:
    """The mean of each patient's slice probabilities, as the service pools them."""
    network.eval()
    with torch.inference_mode():
        means = [torch.sigmoid(network(_tensor(case))).mean().item() for case in cases]
    return np.array(means), np.array([case.patient.is_pima for case in cases])


def _step(
    network: ResNet, images: Tensor, labels: Tensor, loss: nn.Module, optimizer: torch.optim.Optimizer
) -> float:
    network.train()
    value = loss(network(images), labels)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return float(value.item())


def _move_towards(average: ResNet, network: ResNet, share: float) -> None:
    current = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], share)
        else:
            value.copy_(current[name])


def _judged(network: ResNet, validation: Sequence[Case], number: int, mean_loss: float) -> Epoch:
    scores, positive = patient_scores(network, validation)
    chance = np.clip(np.where(positive, scores, 1 - scores), 1e-6, 1.0)
    return Epoch(number, mean_loss, float(-np.log(chance).mean()), auc(scores, positive))


def _rank(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_auc, -epoch.validation_loss


def _slices(cases: Sequence[Case]) -> tuple[Tensor, Tensor]:
    labels = torch.cat([torch.full((len(case.images),), float(case.patient.is_pima)) for case in cases])
    return torch.cat([torch.from_numpy(case.images)[:, None] for case in cases]), labels


def _tensor(case: Case) -> Tensor:
    return torch.from_numpy(case.images.astype(np.float32))[:, None]
