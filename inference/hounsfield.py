"""The stored pixels of one CT image in Hounsfield units."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

AIR_HU = -1024  # everything below, padding included, is outside the patient


def hounsfield(ds: Dataset) -> NDArray[np.int16]:
    """Rows, columns. Errors of the decoder pass through; `volume.py` translates them."""
    stored = pixel_array(ds, correct_unused_bits=False)
    padding = _is_padding(ds, stored)
    values = _stored_bits(ds, stored).astype(np.float32)
    hu = values * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    hu[padding] = AIR_HU
    rounded: NDArray[np.int16] = np.rint(np.clip(hu, AIR_HU, np.iinfo(np.int16).max)).astype(np.int16)
    return rounded


def _is_padding(ds: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """PS3.3 C.7.5.1.1.2: one value, or a range with PixelPaddingRangeLimit; compared before masking."""
    if ds.get("PixelPaddingValue") is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    first = int(ds.PixelPaddingValue)
    last = int(ds.get("PixelPaddingRangeLimit") or first)
    low, high = min(first, last), max(first, last)
    return (stored >= low) & (stored <= high)


def _stored_bits(ds: Dataset, stored: NDArray[Any]) -> NDArray[Any]:
    """Bits above HighBit are not part of the value (PS3.5 8.1.1): old scanners keep overlays there."""
    unused = int(ds.BitsAllocated) - int(ds.BitsStored)
    return (stored << unused) >> unused if unused > 0 else stored
