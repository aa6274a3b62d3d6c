"""A picture of a case for checking by eye: its slices in a row, the outline of the lungs and of the lesion on them."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.dataset.folder import WHITE
from inference.dataset.prepare import Prepared

_TILE = 256  # pixels; what is shown of a slice is at most as large
_MARGIN = 8  # pixels around the lungs and the lesion
_COLUMNS = 6
_LUNGS, _LESION = (80, 160, 255), (255, 90, 40)

Image3 = NDArray[np.uint8]  # rows, columns, colours


def sheet(prepared: Prepared) -> bytes:
    """A PNG, feet to head from left to right, then the next row."""
    seen = _seen(prepared)
    planes = zip(prepared.images, prepared.lungs, prepared.lesion, strict=True)
    tiles = [_tile(image[seen], lungs[seen], lesion[seen]) for image, lungs, lesion in planes]
    columns = min(_COLUMNS, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    file = BytesIO()
    Image.fromarray(np.vstack(rows)).save(file, format="PNG", optimize=True)
    return file.getvalue()


def _seen(prepared: Prepared) -> tuple[slice, slice]:
    """Rows and columns."""
    rows, columns = np.nonzero((prepared.lungs | prepared.lesion).any(axis=0))
    if not rows.size:
        return slice(None), slice(None)
    (top, left), (bottom, right) = ((int(of(rows)), int(of(columns))) for of in (np.min, np.max))
    return slice(max(top - _MARGIN, 0), bottom + _MARGIN), slice(max(left - _MARGIN, 0), right + _MARGIN)


def _tile(image: NDArray[np.uint16], lungs: NDArray[np.bool_], lesion: NDArray[np.bool_]) -> Image3:
    """Every n-th pixel, so that a value stays one of the image."""
    step = -(-max(image.shape) // _TILE)
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
