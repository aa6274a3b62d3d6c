"""Loading a series against SimpleITK's reader: `python -m tests.benchmarks.loading --slices 300`."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import gdcm
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from inference.hounsfield import AIR_HU
from inference.phantom import LesionKind, chest, write_study
from inference.volume import load

_COVERAGE_MM = 300.0
_COMPRESSED = {
    RLELossless: gdcm.TransferSyntax.RLELossless,
    JPEG2000Lossless: gdcm.TransferSyntax.JPEG2000Lossless,
    JPEGLSLossless: gdcm.TransferSyntax.JPEGLSLossless,
}


@dataclass(frozen=True)
class Loading:
    """Seconds from files in the page cache to a volume in Hounsfield units; medians of runs in turn."""

    transfer_syntax: str
    slices: int
    ours_s: float
    simpleitk_s: float
    ratio: float  # median of the ratios of neighbouring runs
    voxels_equal: bool


def loading(folder: Path, *, runs: int) -> Loading:
    """Of the one series in `folder`, slices from feet to head; one run of each goes uncounted."""
    paths = sorted(folder.iterdir())
    syntax = pydicom.dcmread(paths[0], stop_before_pixels=True).file_meta.TransferSyntaxUID
    equal = np.array_equal(
        load(paths).hu, np.maximum(sitk.GetArrayFromImage(read_by_simpleitk(folder)), AIR_HU)
    )
    ours, theirs = [], []
    for _ in range(runs):
        theirs.append(_seconds(lambda: read_by_simpleitk(folder)))
        ours.append(_seconds(lambda: load(paths)))
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return Loading(UID(syntax).name, len(paths), median(ours), median(theirs), median(ratios), equal)


def read_by_simpleitk(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image: sitk.Image = reader.Execute()
    return image


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def written(slices: int, syntax: UID, folder: Path, *, pixels: int = 512) -> Path:
    """A synthetic chest of so many slices in a folder of its own."""
    phantom = chest(
        seed=1,
        lesion=LesionKind.PIMA_LIKE,
        slice_mm=_COVERAGE_MM / slices,
        pixels=pixels,
        pixel_mm=0.7 * 512 / pixels,
    )
    for path in write_study(phantom, folder):
        if syntax in _COMPRESSED:
            _compress(path, gdcm.TransferSyntax(_COMPRESSED[syntax]))
    return folder


def _compress(path: Path, syntax: gdcm.TransferSyntax) -> None:
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(path))
    reader.Read()
    change.SetTransferSyntax(syntax)
    change.SetInput(reader.GetImage())
    change.Change()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.Write()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--compressed", action="store_true", help="lossless compressed syntaxes too")
    options = parser.parse_args()
    measured = []
    for syntax in (ExplicitVRLittleEndian, *(_COMPRESSED if options.compressed else ())):
        with tempfile.TemporaryDirectory() as folder:
            measured.append(loading(written(options.slices, syntax, Path(folder)), runs=options.runs))
    json.dump([asdict(m) for m in measured], sys.stdout, indent=2)


if __name__ == "__main__":
    main()
