"""The network of a bundle on a device: images to probabilities and the evidence behind them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.bundle import Bundle
from inference.findings import AlgorithmIdentity
from inference.gradcam import evidence
from inference.network import trained


@dataclass(frozen=True, eq=False)
class Scores:
    probabilities: NDArray[np.float32]  # images; of PIMA
    evidence: NDArray[np.float32]  # images, rows, columns; signed, for PIMA


class Classifier:
    """Stays warm between studies; `device` is `cpu` or `cuda:N`."""

    def __init__(self, bundle: Bundle, *, device: str = "cpu", batch_size: int = 8) -> None:
        self.bundle = bundle
        self._device = torch.device(device)
        self._batch_size = batch_size
        self._network = trained(bundle).to(self._device)

    @property
    def identity(self) -> AlgorithmIdentity:
        return self.bundle.identity

    def __call__(self, images: NDArray[np.float32]) -> Scores:
        """Images, rows, columns; at least one."""
        with torch.inference_mode():
            batches = [self._scored(b) for b in torch.split(torch.from_numpy(images), self._batch_size)]
        probabilities, maps = zip(*batches, strict=True)
        return Scores(torch.cat(probabilities).cpu().numpy(), torch.cat(maps).cpu().numpy())

    def _scored(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self._network.features(images[:, None].to(self._device))
        probability = torch.sigmoid(self._network.head(features))
        size = (images.shape[1], images.shape[2])
        return probability, evidence(features, self._network.fc.weight[0], size, self._network.stride)
