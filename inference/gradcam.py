"""Grad-CAM of the last block, in closed form.

Behind global average pooling and one linear layer the gradient of the logit with respect to the
map A_k is w_k / N at each of its N places, so the heat is relu(sum of w_k A_k) / N: no backward pass.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.findings import Label


def evidence(features: Tensor, weights: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """For PIMA, signed, on the grid of the network's input: images, rows, columns.

    With odd kernels and half padding a place k of the map is centred on pixel k * stride of the input,
    not between its corners: plain enlargement would shift the heat by half a stride.
    """
    places = features.shape[2] * features.shape[3]
    maps = torch.einsum("nkyx,k->nyx", features, weights) / places
    padded = functional.pad(maps[:, None], (0, 1, 0, 1), mode="replicate")
    enlarged = functional.interpolate(
        padded,
        size=(maps.shape[1] * stride + 1, maps.shape[2] * stride + 1),
        mode="bilinear",
        align_corners=True,
    )
    return enlarged[:, 0, : size[0], : size[1]]


def heat(evidence_for_pima: NDArray[np.float32], label: Label) -> NDArray[np.float32]:
    """Evidence for `label`, 0..1: one scale for all images of a study, so that weak evidence stays dark."""
    signed = evidence_for_pima if label is Label.PIMA else -evidence_for_pima
    positive = np.maximum(signed, 0.0)
    peak = float(positive.max(initial=0.0))
    return (positive / peak if peak > 0 else positive).astype(np.float32)
