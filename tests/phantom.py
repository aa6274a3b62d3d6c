"""Variants of the synthetic chest that tests want: small ones, and studies the node must refuse."""

from functools import cache
from pathlib import Path

from inference.phantom import SHARP_KERNEL, SOFT_KERNEL, LesionKind, Phantom, chest, write_study


@cache
def small_chest(
    seed: int = 3, lesion: LesionKind | None = LesionKind.IPN_LIKE, kernel: str = SHARP_KERNEL
) -> Phantom:
    """The whole chest on coarse pixels: quick to draw, write and analyse."""
    return chest(seed=seed, lesion=lesion, pixels=128, pixel_mm=2.8, kernel=kernel)


def small_study(folder: Path, **header: object) -> list[Path]:
    """Sixty files, from feet to head; `header` replaces attributes in all of them."""
    return write_study(small_chest(), folder, header=header)


def two_kernels(folder: Path) -> tuple[list[Path], list[Path]]:
    """One study of two series: sharp, then soft."""
    sharp = write_study(small_chest(), folder / "sharp")
    soft = write_study(small_chest(kernel=SOFT_KERNEL), folder / "soft", series_number=3)
    return sharp, soft


def head_ct(folder: Path) -> list[Path]:
    """A head by its header only."""
    return small_study(
        folder,
        BodyPartExamined="HEAD",
        StudyDescription="CT head",
        SeriesDescription="Head",
        ProtocolName="Head",
    )


def scout(folder: Path) -> list[Path]:
    return _cut(small_study(folder, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), keep=1)


def short_study(folder: Path) -> list[Path]:
    return _cut(small_study(folder), keep=3)


def _cut(paths: list[Path], *, keep: int) -> list[Path]:
    for path in paths[keep:]:
        path.unlink()
    return paths[:keep]
