"""Trains the embedded lung network with nnU-Net on the CPU, and embeds what prediction needs of it.

`python -m inference.training.lungs --out inference/bundles/lungs [--real FOLDER]`
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from nnunetv2.experiment_planning.plan_and_preprocess_api import (
    extract_fingerprints,
    plan_experiments,
    preprocess_dataset,
)
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from inference.training.thoraces import Thorax, drawn, scanned, variants

DATASET_ID = 1
DATASET = "Dataset001_Lungs"
CONFIGURATION = "2d"
FOLD = "all"
REAL_SERIES = ("lung_dx_A0002/B70f", "lung_dx_A0002/B40f", "lidc_0001_nodule16")
_FIRST_SEED = 7_000_000
_VARIANTS = 14  # of each real series


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        _name_folders(work)
        write_dataset(_thoraces(options), work / "raw" / DATASET)
        plan(work / "preprocessed" / DATASET)
        trained = train(work / "preprocessed" / DATASET, options.epochs, options.iterations)
        shutil.copytree(trained, options.out, dirs_exist_ok=True)


def _thoraces(options: argparse.Namespace) -> Iterator[Thorax]:
    rng = np.random.default_rng(_FIRST_SEED)
    phantoms = (drawn(_FIRST_SEED + n) for n in range(options.phantoms))
    real = (scanned(options.real / name) for name in REAL_SERIES) if options.real else ()
    return chain(phantoms, chain.from_iterable(variants(thorax, _VARIANTS, rng) for thorax in real))


def _name_folders(work: Path) -> None:
    """nnU-Net takes its folders from the environment and nowhere else."""
    for name in ("raw", "preprocessed", "results"):
        (work / name).mkdir(parents=True, exist_ok=True)
        os.environ[f"nnUNet_{name}"] = str(work / name)
    os.environ.update({"nnUNet_n_proc_DA": "1", "nnUNet_compile": "f"})


def write_dataset(thoraces: Iterable[Thorax], folder: Path) -> None:
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    count = 0
    for count, thorax in enumerate(thoraces, start=1):
        for name, array in (
            (f"imagesTr/thorax_{count:04d}_0000.nrrd", thorax.hu),
            (f"labelsTr/thorax_{count:04d}.nrrd", thorax.lungs.astype(np.uint8)),
        ):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing(thorax.spacing_mm[::-1])
            sitk.WriteImage(image, folder / name, useCompression=False)
    facts = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "lung": 1},
        "numTraining": count,
        "file_ending": ".nrrd",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }
    (folder / "dataset.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


def plan(folder: Path) -> None:
    extract_fingerprints([DATASET_ID], num_processes=2)
    identifier = plan_experiments([DATASET_ID])
    path = folder / f"{identifier}.json"
    plans = json.loads(path.read_text(encoding="utf-8"))
    configuration = plans["configurations"][CONFIGURATION]
    configuration |= {"spacing": [2.0, 2.0], "patch_size": [192, 192], "batch_size": 8}
    stages = 6
    configuration["architecture"]["arch_kwargs"] |= {
        "n_stages": stages,
        "features_per_stage": [8, 16, 32, 64, 128, 128],
        "kernel_sizes": [[3, 3]] * stages,
        "strides": [[1, 1]] + [[2, 2]] * (stages - 1),
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
    }
    plans["configurations"] = {CONFIGURATION: configuration}
    # Ribs stay in view: they part consolidation from the chest wall.
    plans["foreground_intensity_properties_per_channel"]["0"] |= {
        "percentile_00_5": -1000.0,
        "percentile_99_5": 300.0,
        "mean": -600.0,
        "std": 400.0,
    }
    path.write_text(json.dumps(plans, indent=2), encoding="utf-8")
    preprocess_dataset(DATASET_ID, configurations=(CONFIGURATION,), num_processes=[2])


def train(folder: Path, epochs: int, iterations: int) -> Path:
    plans = json.loads((folder / "nnUNetPlans.json").read_text(encoding="utf-8"))
    facts = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    plans["continue_training"] = False
    trainer = nnUNetTrainer(plans, CONFIGURATION, FOLD, facts, torch.device("cpu"))
    trainer.num_epochs = epochs
    trainer.num_iterations_per_epoch = iterations
    trainer.num_val_iterations_per_epoch = 5
    trainer.run_training()
    return Path(trainer.output_folder_base)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the lung network on phantoms and real CT.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--real", type=Path, help="folder with the real series of the model card")
    parser.add_argument("--work", type=Path, help="keep nnU-Net's folders here")
    parser.add_argument("--phantoms", type=int, default=90)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--iterations", type=int, default=50, help="per epoch")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
