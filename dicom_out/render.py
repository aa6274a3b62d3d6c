"""The picture of one slice: the CT in the lung window with the heat and the outline of the target over it."""

import numpy as np
from numpy.typing import NDArray

from inference.findings import ScoredSlice

Rgb = NDArray[np.uint8]  # rows, columns, 3

WINDOW_LEVEL_HU = -600.0
WINDOW_WIDTH_HU = 1500.0
STRENGTH = 0.55  # share of the colour where the heat is 1; chosen by looking: vessels stay visible under red
OUTLINE = (0, 229, 255)

# heat: red, green, blue; the order of the rainbow that Grad-CAM pictures are known by, without its dark ends
_COLOURS = np.array(
    [
        (0.00, 40, 80, 255),
        (0.25, 0, 200, 255),
        (0.50, 90, 240, 90),
        (0.75, 255, 200, 0),
        (1.00, 255, 20, 0),
    ]
)


def picture(scored: ScoredSlice) -> Rgb:
    """The overlay without any lettering: where the target is, and where the evidence, which may lie elsewhere."""
    return edged(heated(scored), scored.lesion)


def heated(scored: ScoredSlice) -> Rgb:
    """The slice in grey with its heat, if there is one."""
    grey = windowed(scored.hu)
    return as_rgb(grey) if scored.heat is None else overlaid(grey, scored.heat)


def windowed(hu: NDArray[np.int16]) -> NDArray[np.uint8]:
    low = WINDOW_LEVEL_HU - WINDOW_WIDTH_HU / 2
    return _levels(np.clip((hu - low) / WINDOW_WIDTH_HU, 0.0, 1.0) * 255.0)


def coloured(heat: NDArray[np.floating]) -> NDArray[np.float64]:
    """The colour of each heat (0..1): red is high."""
    stops, *channels = _COLOURS.T
    return np.stack([np.interp(heat, stops, channel) for channel in channels], axis=-1)


def overlaid(grey: NDArray[np.uint8], heat: NDArray[np.float32]) -> Rgb:
    """Opacity grows with the heat, so that no heat leaves the CT as it is."""
    alpha = STRENGTH * np.clip(heat, 0.0, 1.0)[..., np.newaxis]
    mixed = grey[..., np.newaxis] * (1.0 - alpha) + coloured(heat) * alpha
    return _levels(mixed)


def _levels(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(values).astype(np.uint8)
    return levels


def as_rgb(grey: NDArray[np.uint8]) -> Rgb:
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def edged(rgb: Rgb, extent: NDArray[np.bool_], *, width_px: int = 1) -> Rgb:
    """A copy with a line just outside of the extent, so that it hides nothing of it."""
    grown = extent
    for _ in range(width_px):
        grown = _grown(grown)
    lined = rgb.copy()
    lined[grown & ~extent] = OUTLINE
    return lined


def _grown(extent: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(extent, 1)
    grown: NDArray[np.bool_] = (
        extent | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    )
    return grown
