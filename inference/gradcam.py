"""Grad-CAM of the last block, in closed form (Selvaraju 2017; Zhou 2016).

Behind global average pooling and one linear layer the gradient of the logit with respect to the
map A_k is w_k / N at each of its N places, so the heat is relu(sum of w_k A_k) / N: no backward pass.
Any other layer needs gradients: `gradcam_layers.py`.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inference.findings import Label
from inference.resnet import ResNet


class NoClosedForm(ValueError):
    """The map does not follow from the forward pass: the layer or the head is another."""


class Explained(nn.Module):
    """A network that gives its closed-form map with its logit, in one pass."""

    def __init__(self, network: ResNet, layer: nn.Module | None = None) -> None:
        """`layer` is the last block or nothing; else, or with another head, raises `NoClosedForm`."""
        super().__init__()
        if layer is not None and layer is not network.layer4[-1]:
            raise NoClosedForm(
                f"{type(layer).__name__} is not the last block, whose map alone the head pools"
            )
        if not _pools_into_one_linear(network):
            raise NoClosedForm(
                f"the head of {type(network).__name__} is not average pooling and one linear layer to one logit"
            )
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, 1, rows, columns) to logits (n) and signed maps for PIMA (n, rows, columns of the last block)."""
        features = self.network.features(images)
        weighted = functional.conv2d(features, self.network.fc.weight[:, :, None, None])[:, 0]
        return self.network.head(features), weighted / (features.shape[2] * features.shape[3])


def _pools_into_one_linear(network: ResNet) -> bool:
    head: nn.Module = network.fc  # somebody may have put more than a linear layer there
    untouched = type(network).head is ResNet.head and type(network).forward is ResNet.forward
    return untouched and isinstance(head, nn.Linear) and head.out_features == 1


def enlarged(maps: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """On the grid of the network's input: images, rows, columns.

    With odd kernels and half padding a place k of the map is centred on pixel k * stride of the input,
    not between its corners: plain enlargement would shift the heat by half a stride.
    """
    padded = functional.pad(maps[:, None], (0, 1, 0, 1), mode="replicate")
    fine = functional.interpolate(
        padded,
        size=(maps.shape[1] * stride + 1, maps.shape[2] * stride + 1),
        mode="bilinear",
        align_corners=True,
    )
    return fine[:, 0, : size[0], : size[1]]


def heat(evidence_for_pima: NDArray[np.float32], label: Label) -> NDArray[np.float32]:
    """Evidence for `label`, 0..1: one scale for all images of a study, so that weak evidence stays dark."""
    signed = evidence_for_pima if label is Label.PIMA else -evidence_for_pima
    positive = np.maximum(signed, 0.0)
    peak = float(positive.max(initial=0.0))
    return (positive / peak if peak > 0 else positive).astype(np.float32)
