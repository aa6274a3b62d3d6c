"""nnU-Net model folders as other people make them, with tiny networks of random weights."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

ONE_LUNG: Mapping[str, object] = {"background": 0, "lung": 1}
TWO_LUNGS: Mapping[str, object] = {"background": 0, "lung_left": 1, "lung_right": 2}
FIVE_LOBES: Mapping[str, object] = {
    "background": 0,
    "lung_upper_lobe_left": 1,
    "lung_lower_lobe_left": 2,
    "lung_upper_lobe_right": 3,
    "lung_middle_lobe_right": 4,
    "lung_lower_lobe_right": 5,
    "trachea": 6,
}
LOBES = tuple(name for name in FIVE_LOBES if "lobe" in name)


def nnunet_folder(
    folder: Path,
    *,
    labels: Mapping[str, object] = ONE_LUNG,
    spacing_mm: Sequence[float] = (4.0, 4.0),
    channels: Sequence[str] = ("CT",),
    folds: Sequence[str] = ("fold_0",),
    plans: Mapping[str, object] | None = None,
) -> Path:
    """A 2d configuration for two spacings, 3d_fullres for three; `plans` replaces entries of its plan."""
    configuration = "2d" if len(spacing_mm) == 2 else "3d_fullres"
    facts = {
        "channel_names": {str(i): name for i, name in enumerate(channels)},
        "labels": labels,
        "numTraining": 1,
        "file_ending": ".nrrd",
    }
    written = _plans(configuration, spacing_mm)
    written["configurations"][configuration] |= plans or {}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(written))
    (folder / "dataset.json").write_text(json.dumps(facts))
    for number, fold in enumerate(folds):
        (folder / fold).mkdir()
        torch.manual_seed(number)
        checkpoint = {
            "network_weights": _weights(_plans(configuration, spacing_mm), configuration, len(labels)),
            "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": configuration},
            "inference_allowed_mirroring_axes": (0, 1),
            "_best_ema": np.float32(0.5),
            "logging": {"ema_fg_dice": [np.float64(0.5)]},
        }
        torch.save(checkpoint, folder / fold / "checkpoint_final.pth")
    return folder


def changed_weights(checkpoint: Path, **weights: torch.Tensor | None) -> None:
    """Replaces weights by name (with _ for the dots), or removes them."""
    content = torch.load(checkpoint, weights_only=False)
    for name in list(content["network_weights"]):
        key = name.replace(".", "_")
        if key in weights:
            value = weights[key]
            if value is None:
                del content["network_weights"][name]
            else:
                content["network_weights"][name] = value
    torch.save(content, checkpoint)


def _weights(plans: Mapping[str, Any], configuration: str, outputs: int) -> dict[str, torch.Tensor]:
    architecture = plans["configurations"][configuration]["architecture"]
    network = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        1,
        outputs,
        deep_supervision=True,
    )
    weights: dict[str, torch.Tensor] = network.state_dict()
    return weights


def _plans(configuration: str, spacing_mm: Sequence[float]) -> dict[str, Any]:
    dimensions = len(spacing_mm)
    return {
        "dataset_name": "Dataset777_Somebody",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [5.0, 0.8, 0.8],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": -600.0, "std": 400.0, "percentile_00_5": -1000.0, "percentile_99_5": 300.0}
        },
        "configurations": {
            configuration: {
                "data_identifier": "nnUNetPlans",
                "preprocessor_name": "DefaultPreprocessor",
                "patch_size": [32] * dimensions,
                "spacing": list(spacing_mm),
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "architecture": {
                    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                    "arch_kwargs": {
                        "n_stages": 2,
                        "features_per_stage": [4, 4],
                        "conv_op": f"torch.nn.modules.conv.Conv{dimensions}d",
                        "kernel_sizes": [[3] * dimensions] * 2,
                        "strides": [[1] * dimensions, [2] * dimensions],
                        "n_conv_per_stage": [1, 1],
                        "n_conv_per_stage_decoder": [1],
                        "conv_bias": True,
                        "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}d",
                        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                        "dropout_op": None,
                        "dropout_op_kwargs": None,
                        "nonlin": "torch.nn.LeakyReLU",
                        "nonlin_kwargs": {"inplace": True},
                    },
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
            }
        },
    }
