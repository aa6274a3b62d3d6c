"""Input-quality findings: rules from facts to limitations that the report states."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import HTJ2K, JPEG2000, JPEG2000MC, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from inference.findings import InputQuality, QualityCode
from inference.geometry import Stack
from inference.hounsfield import AIR_HU
from inference.kernels import Sharpness, sharpness

TAGS = (
    "ImageType", "SliceThickness", "ConvolutionKernel", "LossyImageCompression", "ContrastBolusAgent",
    "ContrastBolusAgentSequence", "ContrastBolusRoute", "ContrastBolusVolume",
)  # fmt: skip
"""What `of_headers` looks at."""

_UNEVEN = 0.1  # of the usual spacing
_TILT_DEGREES = 1.0
_THICKNESS_RATIO = 1.5  # times the model's, either way
_LUNG_ML = (1500.0, 9000.0)  # of adults, breathed in; outside it something is cut off, collapsed or wrong
_CUT_SHARE = 0.15  # of the fullest slice's lung area
_NAME = re.compile(r"[\w+./\\-]{1,16}")  # of a kernel; anything longer could be free text
_TOUCHING = 5  # pixels of lung on the border
_NO_CONTRAST = frozenset({"", "NONE", "NO", "N", "NATIVE", "NATIV", "WITHOUT", "NO CONTRAST", "NON CONTRAST"})
_FOR_LOSS = frozenset(
    {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, JPEG2000MC, HTJ2K}
)  # the last three can also be lossless, and do not say


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


def of_headers(headers: Sequence[Dataset], kernel: str, spacing_mm: float) -> Iterator[InputQuality]:
    """No free text of a header is quoted."""
    yield from _of_kernel(kernel)
    yield from _of_nominal_thickness(headers, spacing_mm)
    count = len(headers)
    if contrast := sum(map(_has_contrast, headers)):
        yield InputQuality(
            QualityCode.CONTRAST_AGENT,
            f"A contrast agent was given, say {contrast} of {count} slices; the model expects none.",
        )
    if lossy := sum(map(_is_lossy, headers)):
        yield InputQuality(
            QualityCode.LOSSY_COMPRESSION,
            f"{lossy} of {count} slices were compressed with loss or in a transfer syntax for it.",
        )
    if derived := sum(not {"DERIVED", "SECONDARY"}.isdisjoint(ds.get("ImageType") or ()) for ds in headers):
        yield InputQuality(
            QualityCode.DERIVED_IMAGES,
            f"{derived} of {count} slices were computed from other images or taken after the examination.",
        )


def _of_kernel(kernel: str) -> Iterator[InputQuality]:
    match sharpness(kernel):
        case Sharpness.SOFT:
            name = f" {kernel}" if _NAME.fullmatch(kernel) else ""
            yield InputQuality(
                QualityCode.SOFT_KERNEL, f"The kernel{name} is soft; the model expects a sharp one."
            )
        case Sharpness.UNKNOWN:
            said = "not known to be sharp" if kernel else "not stated"
            yield InputQuality(
                QualityCode.UNKNOWN_KERNEL, f"The kernel is {said}; the model expects a sharp one."
            )
        case Sharpness.SHARP:
            pass


def _of_nominal_thickness(headers: Sequence[Dataset], spacing_mm: float) -> Iterator[InputQuality]:
    """Slice Thickness against their distance and against one another."""
    nominal = [float(ds.SliceThickness) for ds in headers if _is_number(ds.get("SliceThickness"))]
    if not nominal:
        return
    thinnest, thickest = min(nominal), max(nominal)
    if thickest > _THICKNESS_RATIO * thinnest:
        text = f"The slices are {thinnest:.1f} to {thickest:.1f} mm thick."
        yield InputQuality(QualityCode.SLICE_THICKNESS, text)
    elif spacing_mm > _THICKNESS_RATIO * thickest:
        text = f"Slices of {thickest:.1f} mm lie {spacing_mm:.1f} mm apart; what is between them is not seen."
        yield InputQuality(QualityCode.SLICE_THICKNESS, text)


def _is_number(value: object) -> bool:
    try:
        return float(str(value)) > 0
    except ValueError:
        return False


def _has_contrast(ds: Dataset) -> bool:
    """Any word of an agent counts, but for those that say that there was none (PS3.3 C.7.6.4)."""
    words = {str(ds.get(k) or "").strip().upper() for k in ("ContrastBolusAgent", "ContrastBolusRoute")}
    volume = ds.get("ContrastBolusVolume")
    return bool(words - _NO_CONTRAST or ds.get("ContrastBolusAgentSequence") or _is_number(volume))


def _is_lossy(ds: Dataset) -> bool:
    return ds.get("LossyImageCompression") == "01" or ds.file_meta.get("TransferSyntaxUID") in _FOR_LOSS


def of_thickness(slab_mm: float, expected_mm: float) -> Iterator[InputQuality]:
    """`slab_mm` is what reaches the network, after thin slices were averaged."""
    if not 1 / _THICKNESS_RATIO <= slab_mm / expected_mm <= _THICKNESS_RATIO:
        yield InputQuality(
            QualityCode.SLICE_THICKNESS,
            f"Slices of {slab_mm:.1f} mm are scored; the model expects {expected_mm:.1f} mm.",
        )


def of_lungs(hu: NDArray[np.int16], lungs: NDArray[np.bool_], lung_ml: float) -> Iterator[InputQuality]:
    low, high = _LUNG_ML
    if not low <= lung_ml <= high:
        yield InputQuality(
            QualityCode.LUNG_VOLUME,
            f"The lungs measure {lung_ml:.0f} ml; {low:.0f} to {high:.0f} ml is usual.",
        )
    areas = np.count_nonzero(lungs, axis=(1, 2))
    cut = [
        end for end, area in (("lowest", areas[0]), ("highest", areas[-1])) if area > _CUT_SHARE * areas.max()
    ]
    if cut:
        yield InputQuality(QualityCode.LUNGS_CUT_OFF, f"The lungs reach the {' and the '.join(cut)} slice.")
    touching = _cut_in_plane(hu, lungs)
    if touching > 1:  # one alone is a fault of the mask
        yield InputQuality(
            QualityCode.LUNGS_CUT_OFF,
            f"The lungs reach the border of the reconstructed field in {touching} of {len(lungs)} slices.",
        )


def _cut_in_plane(hu: NDArray[np.int16], lungs: NDArray[np.bool_]) -> int:
    """Slices with lung on the border of the image, or of the circle beyond which a scanner writes air."""
    rows, columns = hu.shape[1:]
    y, x = (np.abs(np.arange(n) - (n - 1) / 2) / (n / 2) for n in (rows, columns))
    border = np.maximum(y[:, None], x) > 1.0 - 1.5 / min(rows, columns)
    if (hu[:, [0, 0, -1, -1], [0, -1, 0, -1]] <= AIR_HU).all():
        border |= np.hypot(y[:, None], x) > 1.0 - 4.0 / min(rows, columns)
    return sum(int(np.count_nonzero(plane & border)) >= _TOUCHING for plane in lungs)
