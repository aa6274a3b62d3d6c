"""Random flips and small rotations of training images (the paper, section Preprocessing)."""

import math

import torch
from torch import Tensor
from torch.nn import functional


def augmented(images: Tensor, *, degrees: float, generator: torch.Generator) -> Tensor:
    """Each image (n, 1, rows, columns) mirrored or not, and turned by at most `degrees`."""
    count = len(images)
    angle = (2 * torch.rand(count, generator=generator) - 1) * math.radians(degrees)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    zero = torch.zeros(count)
    turn = torch.stack(
        [mirror * angle.cos(), -angle.sin(), zero, mirror * angle.sin(), angle.cos(), zero], dim=1
    )
    grid = functional.affine_grid(turn.reshape(count, 2, 3), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
