"""Chest CT with known lungs, to train the lung network on: phantoms, and real CT if there is any."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from inference.morphology import Mask, Spacing
from inference.phantom import SHARP_KERNEL, SOFT_KERNEL, LesionKind, chest
from inference.threshold import ThresholdSegmenter
from inference.volume import load

_PIXEL_MM = 1.4
_SLICES_MM = (3.0, 5.0, 8.0)
_COARSE_PIXEL_MM = 4.5


@dataclass(frozen=True, eq=False)
class Thorax:
    hu: NDArray[np.int16]  # z, y, x; z from feet to head
    spacing_mm: Spacing  # z, y, x
    lungs: Mask  # z, y, x; masses and consolidation inside


def drawn(seed: int) -> Thorax:
    """A phantom of its own sampling and kernel; two of three have a lesion."""
    rng = np.random.default_rng(seed)
    lesion = (None, *LesionKind)[seed % 3]
    phantom = chest(
        seed=seed,
        lesion=lesion,
        size_mm=float(rng.uniform(20.0, 75.0)) if lesion is LesionKind.PIMA_LIKE else None,
        slice_mm=float(rng.choice(_SLICES_MM)),
        pixel_mm=_PIXEL_MM,
        pixels=256,
        kernel=str(rng.choice((SHARP_KERNEL, SOFT_KERNEL))),
    )
    return varied(Thorax(phantom.hu, phantom.spacing_mm, phantom.lungs), rng)


def scanned(folder: Path) -> Thorax:
    """A real series; its lungs are those of `ThresholdSegmenter`, which somebody must look at."""
    volume = load(sorted(folder.glob("*.dcm")))
    return _coarsened(Thorax(volume.hu, volume.spacing_mm, ThresholdSegmenter()(volume)), _PIXEL_MM)


def variants(thorax: Thorax, count: int, rng: np.random.Generator) -> Iterator[Thorax]:
    """The series as it is, then with consolidation, cropping and coarse pixels."""
    yield thorax
    for _ in range(count - 1):
        yield varied(thorax, rng)


def varied(thorax: Thorax, rng: np.random.Generator) -> Thorax:
    if rng.random() < 0.6:
        thorax = consolidated(thorax, rng)
    if rng.random() < 0.3:
        thorax = _cropped(thorax, margin_mm=float(rng.uniform(4.0, 40.0)))
    if rng.random() < 0.25:
        thorax = _coarsened(thorax, pixel_mm=float(rng.uniform(0.6, 1.1)) * _COARSE_PIXEL_MM)
    return thorax


def consolidated(thorax: Thorax, rng: np.random.Generator) -> Thorax:
    """One to three bodies of soft tissue or ground glass anywhere in the lungs, pleura and hilum included."""
    hu = thorax.hu.astype(np.float32)
    inside = np.argwhere(thorax.lungs)
    for _ in range(int(rng.integers(1, 4))):
        centre = inside[int(rng.integers(len(inside)))] if len(inside) else np.zeros(3, dtype=np.int64)
        body = _ellipsoid(thorax, centre, rng) & thorax.lungs
        share = _softened(body, thorax.spacing_mm)
        share[~thorax.lungs] = 0.0
        density = 40.0 if rng.random() < 0.75 else -350.0
        tissue = density + rng.normal(0.0, 20.0) + rng.normal(0.0, 25.0, hu.shape).astype(np.float32)
        hu += share * np.maximum(tissue - hu, 0.0)
    return replace(thorax, hu=np.rint(hu).astype(np.int16))


def _ellipsoid(thorax: Thorax, centre: NDArray[np.int64], rng: np.random.Generator) -> Mask:
    """With a wavy surface; in a third of them as large as a lobe."""
    reach = rng.uniform(8.0, 30.0, 3) * (2.5 if rng.random() < 0.33 else 1.0)
    axes = (
        (np.arange(n, dtype=np.float32) - c) * s
        for n, c, s in zip(thorax.hu.shape, centre, thorax.spacing_mm, strict=True)
    )
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    waves = sum(
        rng.uniform(0.05, 0.2) * np.cos(k[0] * z + k[1] * y + k[2] * x + rng.uniform(0.0, 6.3))
        for k in rng.normal(0.0, 4.0, (3, 3)) / reach
    )
    body: Mask = (z / reach[0]) ** 2 + (y / reach[1]) ** 2 + (x / reach[2]) ** 2 < (1.0 + waves) ** 2
    return body


def _softened(body: Mask, spacing_mm: Spacing) -> NDArray[np.float32]:
    image = sitk.GetImageFromArray(body.astype(np.float32))
    image.SetSpacing(spacing_mm[::-1])
    softened: NDArray[np.float32] = sitk.GetArrayFromImage(sitk.DiscreteGaussian(image, [1.5] * 3))
    return softened


def _cropped(thorax: Thorax, margin_mm: float) -> Thorax:
    """Around the lungs, as a small field of view does."""
    _, y, x = np.nonzero(thorax.lungs)
    if not y.size:
        return thorax
    rows, columns = (
        slice(max(int(v.min() - margin_mm / s), 0), int(v.max() + margin_mm / s) + 1)
        for v, s in zip((y, x), thorax.spacing_mm[1:], strict=True)
    )
    return replace(thorax, hu=thorax.hu[:, rows, columns], lungs=thorax.lungs[:, rows, columns])


def _coarsened(thorax: Thorax, pixel_mm: float) -> Thorax:
    """Whole pixels averaged."""
    block = tuple(max(1, round(pixel_mm / s)) for s in thorax.spacing_mm[1:])
    shrunk = [
        sitk.GetArrayFromImage(
            sitk.BinShrink(sitk.GetImageFromArray(a.astype(np.float32)), (block[1], block[0], 1))
        )
        for a in (thorax.hu, thorax.lungs)
    ]
    z, y, x = thorax.spacing_mm
    return Thorax(np.rint(shrunk[0]).astype(np.int16), (z, y * block[0], x * block[1]), shrunk[1] > 0.5)
