"""Our use of an nnU-Net folder against nnU-Net's own, on one phantom.

`python -m tests.benchmarks.lungs --slices 300` prints JSON. Both in one process, on the same threads.
"""

import argparse
import contextlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from numpy.typing import NDArray

from inference.morphology import Mask, Spacing
from inference.nnunet import embedded_lungs, load_nnunet
from inference.phantom import LesionKind, as_volume, chest
from inference.training.embedded.metrics import dice

_COVERAGE_MM = 300.0


@dataclass(frozen=True)
class LungFigures:
    slices: int
    threads: int
    ours_s: float
    nnunet_s: float
    ratio: float  # ours to nnU-Net's
    dice: float  # between the two networks' own words
    dice_completed: float  # between nnU-Net's and ours with what disease has filled given back
    dice_to_truth: float
    nnunet_dice_to_truth: float
    lesion_inside: float  # share of the lesion's voxels
    nnunet_lesion_inside: float


def lung_figures(slices: int, *, folder: Path | None = None) -> LungFigures:
    """The first run of each, with the models loaded."""
    folder = folder or embedded_lungs()
    phantom = chest(seed=7, lesion=LesionKind.PIMA_LIKE, slice_mm=_COVERAGE_MM / slices)
    volume = as_volume(phantom)
    segment = load_nnunet(folder, ["lung"])
    ours, ours_s = _timed(lambda: segment(volume))
    stock = stock_predictor(folder)
    theirs, nnunet_s = _timed(lambda: predicted(stock, volume.hu, volume.spacing_mm))
    lesion = phantom.lesion.sum()
    return LungFigures(
        slices=slices,
        threads=torch.get_num_threads(),
        ours_s=ours_s,
        nnunet_s=nnunet_s,
        ratio=ours_s / nnunet_s,
        dice=dice(replace(segment, rules=None)(volume), theirs),
        dice_completed=dice(ours, theirs),
        dice_to_truth=dice(ours, phantom.lungs),
        nnunet_dice_to_truth=dice(theirs, phantom.lungs),
        lesion_inside=float((ours & phantom.lesion).sum() / lesion),
        nnunet_lesion_inside=float((theirs & phantom.lesion).sum() / lesion),
    )


def stock_predictor(folder: Path) -> nnUNetPredictor:
    """With nnU-Net's defaults: mirroring, half-tile steps, logits resampled to full size."""
    with contextlib.redirect_stdout(io.StringIO()):
        predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), use_folds=("all",))
    return predictor


def predicted(predictor: nnUNetPredictor, hu: NDArray[np.number], spacing_mm: Spacing) -> Mask:
    labels = predictor.predict_single_npy_array(
        hu[np.newaxis].astype(np.float32), {"spacing": list(spacing_mm)}
    )
    lungs: Mask = labels == 1
    return lungs


def _timed(run: Callable[[], Mask]) -> tuple[Mask, float]:
    started = time.perf_counter()
    mask = run()
    return mask, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the lungs of one phantom, ours and nnU-Net's.")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(json.dumps(asdict(lung_figures(options.slices)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
