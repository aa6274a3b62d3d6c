"""A picture of a case for checking by eye: its slices in a row, the outline of the lungs and of the lesion on them."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.dataset.folder import WHITE
from inference.dataset.prepare import Prepared

_TILE = 256  # pixels; slices are shown as large as that, or a little smaller
_COLUMNS = 6
_LUNGS, _LESION = (80, 160, 255), (255, 90, 40)


def sheet(prepared: Prepared) -> bytes:
    """A PNG, feet to head from left to right, then the next row."""
    tiles = [
        _tile(image, lungs, lesion)
        for image, lungs, lesion in zip(prepared.images, prepared.lungs, prepared.lesion, strict=True)
    ]
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    file = BytesIO()
    Image.fromarray(np.vstack(rows)).save(file, format="PNG", optimize=True)
    return file.getvalue()


def _tile(
    image: NDArray[np.uint16], lungs: NDArray[np.bool_], lesion: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Every n-th pixel, so that a value stays one of the image."""
    step = -(-len(image) // _TILE)
    grey = (image[::step, ::step].astype(np.uint32) * 255 // WHITE).astype(np.uint8)
    colour = np.repeat(grey[..., None], 3, axis=2)
    for mask, paint in ((lungs, _LUNGS), (lesion, _LESION)):
        colour[_edge(mask[::step, ::step])] = paint
    return colour


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of the mask with a neighbour outside."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: NDArray[np.bool_] = mask & ~inner
    return edge
