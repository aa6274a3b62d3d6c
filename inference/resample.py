"""Volumes on another grid over the same box, smoothed where it is coarser; a few slices at a time."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

Shape = tuple[int, int, int]
_AT_ONCE = 16  # slices in float32


def resized(volume: NDArray[np.generic], shape: Shape) -> NDArray[np.float32]:
    """z, y, x of any real type to `shape`: linear, over the width of the coarser grid's voxels."""
    planes = np.empty((volume.shape[0], *shape[1:]), dtype=np.float32)
    for some in _in_turn(len(planes)):
        planes[some] = _in_plane(volume[some], shape[1:])
    return _along_z(planes, shape[0])


def positive(field: NDArray[np.float32], shape: Shape) -> NDArray[np.bool_]:
    """Where the field is positive on a grid of `shape`; its surface lies between the field's voxels."""
    planes = _along_z(field, shape[0])
    found = np.empty(shape, dtype=np.bool_)
    for some in _in_turn(shape[0]):
        found[some] = _in_plane(planes[some], shape[1:]) > 0
    return found


def _in_turn(count: int) -> list[slice]:
    return [slice(first, first + _AT_ONCE) for first in range(0, count, _AT_ONCE)]


def _in_plane(planes: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.float32]:
    if planes.shape[1:] == shape:
        return planes.astype(np.float32)
    return _interpolated(planes[:, np.newaxis], shape)[:, 0]


def _along_z(planes: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    if len(planes) == count:
        return planes
    columns = planes.reshape(1, 1, len(planes), -1)
    return _interpolated(columns, (count, columns.shape[3])).reshape(count, *planes.shape[1:])


def _interpolated(images: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.float32]:
    source = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
    made: NDArray[np.float32] = interpolate(
        source, size=size, mode="bilinear", align_corners=False, antialias=True
    ).numpy()
    return made
