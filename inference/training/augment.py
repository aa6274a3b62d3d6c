"""Random flips and small rotations of training images (the paper, section Preprocessing), and patches of them."""

import math

import torch
from torch import Tensor
from torch.nn import functional


def augmented(images: Tensor, *, degrees: float, generator: torch.Generator, flip: bool = True) -> Tensor:
    """Each image (n, channels, rows, columns) mirrored or not, and turned by at most `degrees`.

    The same numbers are drawn whatever is asked for; without a turn pixels are moved and not interpolated.
    """
    count = len(images)
    angle = (2 * torch.rand(count, generator=generator) - 1) * math.radians(degrees)
    mirrored = (torch.rand(count, generator=generator) < 0.5) & flip
    if degrees == 0:
        return torch.where(mirrored[:, None, None, None].to(images.device), images.flip(-1), images)
    mirror = torch.where(mirrored, -1.0, 1.0)
    zero = torch.zeros(count)
    turn = torch.stack(
        [mirror * angle.cos(), -angle.sin(), zero, mirror * angle.sin(), angle.cos(), zero], dim=1
    )
    grid = functional.affine_grid(
        turn.reshape(count, 2, 3).to(images.device), list(images.shape), align_corners=False
    )
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def patches(pairs: Tensor, size: int, *, generator: torch.Generator) -> Tensor:
    """Of each image with its lesion (n, 2, rows, columns) a square of `size` around a random pixel of the lesion.

    It is moved inward at the image's border.
    """
    return torch.stack([_patch(pair, size, generator) for pair in pairs])


def _patch(pair: Tensor, size: int, generator: torch.Generator) -> Tensor:
    pixels = pair[1].nonzero()
    middle = pixels[torch.randint(len(pixels), (1,), generator=generator)[0]]
    top, left = (
        min(max(int(at) - size // 2, 0), length - size)
        for at, length in zip(middle, pair.shape[1:], strict=True)
    )
    return pair[:, top : top + size, left : left + size]
