"""Training with weighted binary cross-entropy; the weights that rank validation patients best are kept.

It begins on patches around the lesion, where that fills more of the image and an epoch takes a moment, and goes
on with whole slices. Beside the labels it knows where the lesion is: evidence that strays from it costs a little,
since a network free to choose writes it down anywhere in its field of view.
What is judged and kept is the moving average of the weights, since single steps of so small a cohort scatter.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inference.evaluation.discrimination import auc
from inference.evaluation.estimate import computed
from inference.evaluation.sample import Scores, Truth
from inference.morphology import Mask
from inference.resnet import ResNet
from inference.training.augment import augmented, patches
from inference.training.embedded.cohort import Case


@dataclass(frozen=True)
class Recipe:
    patch_epochs: int = 15
    patch_pixels: int = 96
    epochs: int = 5  # on whole slices
    patience: int = 5  # epochs without a better validation AUC
    batch_size: int = 16
    learning_rate: float = 1e-3
    head_rate: float = 5e-3  # the lesion fills few places of the mean, so the head's weights have far to go
    weight_decay: float = 1e-2
    stray_cost: float = 0.1  # of a logit's worth of evidence outside the lesion
    degrees: float = 10.0
    averaging: float = 0.98  # of the weights, from step to step
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    number: int
    loss: float  # mean over training slices
    validation_loss: float  # of patients; decides between equal AUCs
    validation_auc: float


@dataclass(frozen=True, eq=False)
class _Slices:
    images: Tensor  # slices, 1, rows, columns
    lesions: Tensor  # likewise
    labels: Tensor  # slices


def fit(
    network: ResNet,
    train: Sequence[Case],
    validation: Sequence[Case],
    recipe: Recipe,
    *,
    on_epoch: Callable[[Epoch], None],
) -> Epoch:
    """Trains in place and leaves the best weights; the same seed gives the same weights on one machine."""
    slices = _slices(train)
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = _optimizer(network, recipe)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.patch_epochs + recipe.epochs)
    loss = nn.BCEWithLogitsLoss(pos_weight=(slices.labels == 0).sum() / (slices.labels == 1).sum())
    average = copy.deepcopy(network)

    def epoch(batches: Iterable[_Slices]) -> float:
        network.train()
        losses = []
        for batch in batches:
            losses.append(_step(_cost(network, batch, loss, recipe.stray_cost), optimizer))
            _move_towards(average, network, 1.0 - recipe.averaging)
        schedule.step()
        return float(np.mean(losses))

    for _ in range(recipe.patch_epochs):
        epoch(_batches(slices, recipe, generator, patch=recipe.patch_pixels))
    if recipe.patch_epochs:
        for model in (network, average):
            _widen(model, slices.images.shape[2:].numel() / recipe.patch_pixels**2)
    best: Epoch | None = None
    weights = network.state_dict()
    for number in range(1, recipe.epochs + 1):
        judged = _judged(average, validation, number, epoch(_batches(slices, recipe, generator)))
        on_epoch(judged)
        if best is None or _rank(judged) > _rank(best):
            best, weights = judged, {k: v.clone() for k, v in average.state_dict().items()}
        elif number - best.number >= recipe.patience:
            break
    if best is None:
        raise ValueError(f"{recipe.epochs} epochs on whole slices train nothing")
    network.load_state_dict(weights)
    return best


def patient_scores(network: ResNet, cases: Sequence[Case]) -> tuple[Scores, Truth]:
    """The mean of each patient's slice probabilities, as the service pools them."""
    network.eval()
    with torch.inference_mode():
        means = [torch.sigmoid(network(_tensor(case))).mean().item() for case in cases]
    return np.array(means), np.array([case.positive for case in cases])


def stray(features: Tensor, weights: Tensor, lesions: Tensor, stride: int) -> Tensor:
    """Evidence of either sign outside the lesion, in logits, as the mean over images.

    The logit is the sum of the evidence over the places of the last map (`gradcam.evidence`), place k centred on
    pixel k * stride; `lesions` (n, 1, rows, columns) counts by its share of the pixels around that.
    """
    maps = torch.einsum("nkyx,k->nyx", features, weights) / features[0, 0].numel()
    inside = functional.avg_pool2d(lesions, stride + 1, stride, padding=stride // 2)[:, 0]
    return (maps.abs() * (1.0 - inside)).sum(dim=(1, 2)).mean()


def _optimizer(network: ResNet, recipe: Recipe) -> torch.optim.Optimizer:
    body = [value for name, value in network.named_parameters() if not name.startswith("fc.")]
    groups: list[dict[str, Any]] = [
        {"params": body},
        {"params": [*network.fc.parameters()], "lr": recipe.head_rate},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _batches(
    slices: _Slices, recipe: Recipe, generator: torch.Generator, *, patch: int | None = None
) -> Iterator[_Slices]:
    """All slices in another order, each turned with its lesion."""
    order = torch.randperm(len(slices.labels), generator=generator)
    for picked in torch.split(order, recipe.batch_size):
        pairs = torch.cat([slices.images[picked], slices.lesions[picked]], dim=1).float()
        if patch is not None:
            pairs = patches(pairs, patch, generator=generator)
        turned = augmented(pairs, degrees=recipe.degrees, generator=generator)
        yield _Slices(turned[:, :1], turned[:, 1:], slices.labels[picked])


def _cost(network: ResNet, batch: _Slices, loss: nn.Module, stray_cost: float) -> Tensor:
    features = network.features(batch.images)
    strayed = stray(features, network.fc.weight[0], batch.lesions, network.stride)
    cost: Tensor = loss(network.head(features), batch.labels) + stray_cost * strayed
    return cost


def _step(cost: Tensor, optimizer: torch.optim.Optimizer) -> float:
    optimizer.zero_grad()
    cost.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(cost.item())


def _widen(network: ResNet, ratio: float) -> None:
    """The mean is over so many more places from now on: the same evidence gives the same logit."""
    with torch.no_grad():
        network.fc.weight.mul_(ratio)


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
    return Epoch(number, mean_loss, float(-np.log(chance).mean()), computed(auc(positive, scores)))


def _rank(epoch: Epoch) -> tuple[float, float]:
    return epoch.validation_auc, -epoch.validation_loss


def _slices(cases: Sequence[Case]) -> _Slices:
    images = np.concatenate([case.images for case in cases])
    lesions = np.stack([_seen(case, plane) for case in cases for plane in case.lesion])
    labels = np.concatenate([np.full(len(case.images), case.positive, dtype=np.float32) for case in cases])
    return _Slices(
        torch.from_numpy(images)[:, None], torch.from_numpy(lesions)[:, None], torch.from_numpy(labels)
    )


def _seen(case: Case, plane: Mask) -> NDArray[np.float16]:
    """On the network's grid."""
    return case.place.to_network(plane.astype(np.float32)).astype(np.float16)


def _tensor(case: Case) -> Tensor:
    return torch.from_numpy(case.images.astype(np.float32))[:, None]
