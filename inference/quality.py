"""Input-quality findings: rules from facts to limitations that the report states."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.findings import InputQuality, QualityCode
from inference.geometry import Stack
from inference.kernels import Sharpness, sharpness

_UNEVEN = 0.1  # of the usual spacing
_TILT_DEGREES = 1.0
_THICKNESS_RATIO = 1.5  # times the model's, either way
_LUNG_ML = (1500.0, 9000.0)  # of adults, breathed in; outside it something is cut off, collapsed or wrong
_CUT_SHARE = 0.15  # of the fullest slice's lung area


def of_stack(stack: Stack) -> Iterator[InputQuality]:
    if stack.duplicates:
        yield InputQuality(
            QualityCode.DUPLICATE_SLICES, f"{stack.duplicates} slices repeat a position and were left out."
        )
    if stack.missing:
        yield InputQuality(
            QualityCode.MISSING_SLICES,
            f"{stack.missing} slices are missing; the widest gap is {stack.widest_gap_mm:.1f} mm.",
        )
    if stack.unevenness_mm > _UNEVEN * stack.spacing_mm:
        yield InputQuality(
            QualityCode.UNEVEN_SPACING,
            f"Slice distances differ by up to {stack.unevenness_mm:.1f} mm from {stack.spacing_mm:.1f} mm.",
        )
    if stack.tilt_degrees > _TILT_DEGREES:
        yield InputQuality(
            QualityCode.GANTRY_TILT, f"The gantry is tilted by {stack.tilt_degrees:.1f} degrees."
        )


def of_headers(headers: Sequence[Dataset], kernel: str) -> Iterator[InputQuality]:
    if sharpness(kernel) is Sharpness.SOFT:
        yield InputQuality(
            QualityCode.SOFT_KERNEL, f"The kernel {kernel} is soft; the model expects a sharp one."
        )
    if any(ds.get("ContrastBolusAgent") or ds.get("ContrastBolusAgentSequence") for ds in headers):
        yield InputQuality(QualityCode.CONTRAST_AGENT, "A contrast agent was given; the model expects none.")
    lossy = sum(ds.get("LossyImageCompression") == "01" for ds in headers)
    if lossy:
        yield InputQuality(QualityCode.LOSSY_COMPRESSION, f"{lossy} slices were compressed with loss.")


def of_thickness(slab_mm: float, expected_mm: float) -> Iterator[InputQuality]:
    """`slab_mm` is what reaches the network, after thin slices were averaged."""
    if not 1 / _THICKNESS_RATIO <= slab_mm / expected_mm <= _THICKNESS_RATIO:
        yield InputQuality(
            QualityCode.SLICE_THICKNESS,
            f"Slices of {slab_mm:.1f} mm are scored; the model expects {expected_mm:.1f} mm.",
        )


def of_lungs(lungs: NDArray[np.bool_], lung_ml: float) -> Iterator[InputQuality]:
    low, high = _LUNG_ML
    if not low <= lung_ml <= high:
        yield InputQuality(
            QualityCode.LUNG_VOLUME,
            f"The lungs measure {lung_ml:.0f} ml; {low:.0f} to {high:.0f} ml is usual.",
        )
    areas = lungs.sum(axis=(1, 2))
    cut = [
        end for end, area in (("lowest", areas[0]), ("highest", areas[-1])) if area > _CUT_SHARE * areas.max()
    ]
    if cut:
        yield InputQuality(QualityCode.LUNGS_CUT_OFF, f"The lungs reach the {' and the '.join(cut)} slice.")
