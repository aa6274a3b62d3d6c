"""A whole analysis, ours or the stock chain's, in a process of its own, so that its peak of memory is its own.

`python -m tests.benchmarks.whole ours --slices 300` prints JSON. The network is the full SE-DAS ResNet50 on
512 x 512 with random weights. The stock chain is SimpleITK's series reader, nnU-Net with its defaults on the
same folder, and pytorch-grad-cam slice by slice on as many slices as ours scores; it selects nothing, gives no
second opinion on mirrored slices, and is handed the slabs.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk
import torch
from pydicom.uid import ExplicitVRLittleEndian

from inference.analyse import InProcess, Models, Rules
from inference.annotated import select_annotated
from inference.classifier import Classifier
from inference.executor import Request
from inference.network import trained
from inference.nnunet import embedded_lungs, load_nnunet
from inference.preprocess import frame, network_input, slabs
from inference.targets import select_automatically
from inference.volume import load
from tests.benchmarks.loading import read_by_simpleitk, written
from tests.benchmarks.lungs import predicted, stock_predictor
from tests.benchmarks.slices import full_bundle, score_by_grad_cam

Chain = Literal["ours", "stock"]
_SCORED_MM = 60.0  # of the stock chain: the lesion's height in this phantom, in slabs of 5 mm


@dataclass(frozen=True)
class Whole:
    """Seconds with the models warm; the select stage of the stock chain is none."""

    chain: Chain
    slices: int
    scored: int
    load_s: float
    segment_s: float
    select_s: float
    classify_s: float
    total_s: float
    peak_mb: float  # resident, libraries and models included


def ours(folder: Path, models: Models) -> Whole:
    started = time.perf_counter()
    analysis = InProcess(models)(Request(tuple(sorted(folder.iterdir()))), on_stage=lambda _stage: None)
    times = analysis.timings_s
    return Whole(
        "ours",
        slices=len(list(folder.iterdir())),
        scored=len(analysis.slices),
        load_s=times.load,
        segment_s=times.segment,
        select_s=times.select,
        classify_s=times.classify,
        total_s=time.perf_counter() - started,
        peak_mb=_peak_mb(),
    )


def stock(folder: Path, bundle_folder: Path) -> Whole:
    bundle = full_bundle(bundle_folder)
    network, predictor = trained(bundle), stock_predictor(embedded_lungs())
    volume = load(sorted(folder.iterdir()))  # for its geometry: the stock chain reads again
    marks = [time.perf_counter()]
    hu = np.asarray(sitk.GetArrayFromImage(read_by_simpleitk(folder)))
    marks.append(time.perf_counter())
    lungs = predicted(predictor, hu, volume.spacing_mm)
    marks.append(time.perf_counter())
    numbers = bundle.preprocessing
    cut = slabs(volume, numbers.slice_thickness_mm)
    count = round(_SCORED_MM / numbers.slice_thickness_mm)
    middle = len(cut) // 2
    shown = cut[max(0, middle - count // 2) :][:count]
    place = frame(volume, lungs, numbers)
    images = [network_input(volume.hu, lungs, slab, place, numbers) for slab in shown]
    score_by_grad_cam(network, torch.from_numpy(np.stack(images))[:, None])
    marks.append(time.perf_counter())
    load_s, segment_s, classify_s = np.diff(marks)
    return Whole(
        "stock",
        slices=len(volume.hu),
        scored=len(shown),
        load_s=float(load_s),
        segment_s=float(segment_s),
        select_s=0.0,
        classify_s=float(classify_s),
        total_s=marks[-1] - marks[0],
        peak_mb=_peak_mb(),
    )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0  # Linux counts in KiB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chain", choices=["ours", "stock"])
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--study", type=Path, help="folder of such a study, drawn by --draw")
    parser.add_argument("--draw", type=Path, help="only draw the study, into this folder")
    options = parser.parse_args()
    if options.draw is not None:
        written(options.slices, ExplicitVRLittleEndian, options.draw)
        return
    with tempfile.TemporaryDirectory() as bundle, tempfile.TemporaryDirectory() as drawn:
        study = options.study or written(options.slices, ExplicitVRLittleEndian, Path(drawn))
        if options.chain == "stock":
            figures = stock(study, Path(bundle))
        else:
            select = (select_annotated, select_automatically)
            classify = Classifier(full_bundle(Path(bundle)))
            figures = ours(study, Models(load_nnunet(embedded_lungs(), ["lung"]), select, classify, Rules()))
    json.dump(asdict(figures), sys.stdout)


if __name__ == "__main__":
    main()
