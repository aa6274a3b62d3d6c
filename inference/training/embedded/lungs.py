"""Trains the embedded lung network with nnU-Net on the CPU, and embeds what prediction needs of it.

`python -m inference.training.embedded.lungs --out inference/bundles/lungs [--real FOLDER]`
"""

import argparse
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
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

from inference.lung_card import CARD, LungCard, LungMetric
from inference.nnunet import (
    CHECKPOINT,
    FACTS,
    PLANS,
    NnUnetSegmenter,
    load_nnunet,
)
from inference.phantom import LesionKind, as_volume, chest
from inference.training.embedded.metrics import dice
from inference.training.embedded.thoraces import Thorax, drawn, scanned, variants
from inference.volume import load

DATASET_ID = 1
DATASET = "Dataset001_Lungs"
CONFIGURATION = "2d"
FOLD = "all"
REAL_SERIES = ("lung_dx_A0002/B70f", "lung_dx_A0002/B40f", "lidc_0001_nodule16")
TCIA = "The Cancer Imaging Archive, https://doi.org/10.7937"
ATTRIBUTIONS = (
    f"Lung-PET-CT-Dx, patient A0002 (two series): CC BY 4.0, {TCIA}/TCIA.2020.NNC2-0461",
    f"LIDC-IDRI, patient 0001 (16 slices): CC BY 3.0, {TCIA}/K9/TCIA.2015.LO9QL9SX",
)
HELD_OUT_SEED = 8_000_000
_HELD_OUT = 8  # persons, each without and with a lesion of each kind
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
        embed(trained, options.out)
    write_card(options.out, _training_data(options), options.real)


def _thoraces(options: argparse.Namespace) -> Iterator[Thorax]:
    with ProcessPoolExecutor(options.processes) as pool:
        yield from pool.map(drawn, range(_FIRST_SEED, _FIRST_SEED + options.phantoms))
    rng = np.random.default_rng(_FIRST_SEED)
    for name in REAL_SERIES if options.real else ():
        yield from variants(scanned(options.real / name), _VARIANTS, rng)


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


def embed(trained: Path, out: Path) -> None:
    """What prediction needs, ours and nnU-Net's own: weights without the optimizer's state."""
    (out / f"fold_{FOLD}").mkdir(parents=True, exist_ok=True)
    for name in (PLANS, FACTS):
        shutil.copy(trained / name, out / name)
    content = torch.load(trained / f"fold_{FOLD}" / CHECKPOINT, weights_only=False)
    kept = {
        "network_weights": content["network_weights"],
        "trainer_name": content["trainer_name"],
        "init_args": {"configuration": CONFIGURATION, "fold": FOLD},
        "inference_allowed_mirroring_axes": content["inference_allowed_mirroring_axes"],
    }
    torch.save(kept, out / f"fold_{FOLD}" / CHECKPOINT)


def write_card(out: Path, training_data: str, real: Path | None) -> None:
    (out / CARD).unlink(missing_ok=True)  # it was for other weights
    card = LungCard(
        name="sedas-lungs",
        version="2",
        manufacturer="sedas-node",
        lung_labels=("lung",),
        training_data=training_data,
        attributions=ATTRIBUTIONS if real else (),
        metrics=held_out(load_nnunet(out, ["lung"]), real),
        intended_use="Finding the lung field on chest CT for this node's further steps.",
        limits=(
            "Most of its training images are drawings; the real ones are of two patients.",
            (
                "The lungs of the real ones are not drawn by readers, and small faults seen in them were left:"
                " a border of the heart beside the left lower lobe, a speck of gas in the stomach, one section above an apex."
            ),
            "Of real patients with a solid tumour it has seen one; what it leaves out of the lungs is given back by rules of shape.",
            "It has seen no pleural effusion, pneumothorax, lung resection or child.",
        ),
        licence="Apache-2.0",
        checkpoint_sha256=hashlib.sha256((out / f"fold_{FOLD}" / CHECKPOINT).read_bytes()).hexdigest(),
    )
    (out / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def held_out(segment: NnUnetSegmenter, real: Path | None) -> tuple[LungMetric, ...]:
    """Dice on phantoms and on the real thorax with a true mask, and how much of a lesion is kept."""
    metrics = []
    for kind in (None, *LesionKind):
        seeds = range(HELD_OUT_SEED, HELD_OUT_SEED + _HELD_OUT)
        phantoms = [chest(seed=seed, lesion=kind, pixels=256, pixel_mm=1.4) for seed in seeds]
        found = [segment(as_volume(phantom)) for phantom in phantoms]
        pairs = list(zip(found, phantoms, strict=True))
        data = f"{_HELD_OUT} held-out phantoms, lesion: {kind or 'none'}"
        metrics.append(_metric("Dice", [dice(lungs, p.lungs) for lungs, p in pairs], data))
        if kind:
            kept = [float((lungs & p.lesion).sum() / p.lesion.sum()) for lungs, p in pairs]
            metrics.append(_metric("share of the lesion inside", kept, data))
    if real:
        truth = sitk.GetArrayFromImage(sitk.ReadImage(real / "cip_thorax64" / "wholeLung-64.nrrd")) > 0
        lungs = segment(load(sorted((real / "cip_thorax64" / "dicom").iterdir())))
        data = "one patient of the Chest Imaging Platform, 64x64x79, true mask"
        metrics.append(_metric("Dice", [dice(lungs, truth)], data))
    return tuple(metrics)


def _metric(name: str, values: Sequence[float], data: str) -> LungMetric:
    return LungMetric(name=name, value=round(float(np.mean(values)), 4), data=data)


def _training_data(options: argparse.Namespace) -> str:
    text = (
        f"nnU-Net v2, {options.epochs} epochs of {options.iterations} batches of 8 axial slices, from"
        f" {options.phantoms} synthetic chest phantoms with their true lungs"
    )
    if not options.real:
        return text + ". No real image."
    return (
        f"{text}; {_VARIANTS} variants each (consolidation drawn in, cropped, coarser) of {len(REAL_SERIES)} real"
        " series of two patients, whose lungs are those of the threshold segmenter, checked by eye on"
        " overlays of every slice. Neither set of the Chest Imaging Platform was seen."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the lung network on phantoms and real CT.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the model to")
    parser.add_argument("--real", type=Path, help="folder with the real series of the model card")
    parser.add_argument("--work", type=Path, help="keep nnU-Net's folders here")
    parser.add_argument("--phantoms", type=int, default=110)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--iterations", type=int, default=50, help="per epoch")
    parser.add_argument("--processes", type=int, default=2, help="that draw the phantoms")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
