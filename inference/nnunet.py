"""Lungs by an nnU-Net v2 model folder: the one embedded here, or anybody's.

nnU-Net's own prediction resamples with splines, mirrors, overlaps its tiles by half and brings the
logits of every class back to the volume's grid. Here its network and its normalisation are used on a
grid resampled linearly, without mirroring, and only the decision lung or not is brought back.
"""

import contextlib
import hashlib
import io
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.preprocessing.normalization.default_normalization_schemes import (
    CTNormalization,
    ImageNormalization,
    NoNormalization,
    ZScoreNormalization,
)
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.label_handling.label_handling import LabelManager
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from numpy.typing import NDArray
from pydantic import ValidationError

from inference.findings import AlgorithmIdentity, NotFinite
from inference.lung_card import CARD, LungCard
from inference.lung_field import FieldRules, airway_sections, lung_field, midline
from inference.morphology import Mask, Spacing, components
from inference.network import misfit
from inference.resample import Shape, positive, resized
from inference.volume import CtVolume

PLANS = "plans.json"
FACTS = "dataset.json"
CHECKPOINT = "checkpoint_final.pth"

_VERSION = "1"
_TILE_STEP = 0.75  # of a tile; nnU-Net's own is half a tile
_SLICE_MM = 2.5  # a 2d network sees thinner slices averaged to this, if it was trained on thicker ones
_FIELD_MM = 2.0  # the grid on which the decision is completed
_EDGE = 1.0  # logits beyond count as certain, so that one voxel does not move its neighbours' surface
# Where nnU-Net's networks and their parts live: plans name classes, and nothing else is called.
_NETWORKS = "dynamic_network_architectures.architectures."
_PARTS = "torch.nn."

_NORMALISATIONS: Mapping[str, type[ImageNormalization]] = {
    scheme.__name__: scheme for scheme in (CTNormalization, ZScoreNormalization, NoNormalization)
}
_SCALAR: Any = np.float64(0).__reduce__()[0]
# What the numbers in nnU-Net's checkpoints are made of; numpy 1 had another name for it.
_NUMBERS: tuple[Any, ...] = (
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
)

Axes = Literal["LPS", "RAS"]
JsonObject = dict[str, Any]  # as nnU-Net takes it


class BadModelFolder(ValueError):
    """A folder that is no usable nnU-Net model of the lungs."""


@dataclass(frozen=True, eq=False)
class _Network:
    """Warm: plans, network and weights of each fold."""

    predictor: nnUNetPredictor
    folds: tuple[Mapping[str, torch.Tensor], ...]
    lung: tuple[int, ...]  # channels of the output
    other: tuple[int, ...]  # empty where each channel decides for itself
    axes: Axes

    @property
    def plans(self) -> PlansManager:
        return self.predictor.plans_manager

    @property
    def configuration(self) -> ConfigurationManager:
        return self.predictor.configuration_manager

    def spacing_mm(self, of_volume: Spacing) -> Spacing:
        """Of the grid that the network wants for a volume; z, y, x."""
        axes, wanted = self.plans.transpose_forward, list(self.configuration.spacing)
        if len(wanted) == 2:
            trained_mm = self.plans.original_median_spacing_after_transp[0]
            wanted.insert(0, max(of_volume[axes[0]], min(trained_mm, _SLICE_MM)))
        z, y, x = (float(wanted[axes.index(axis)]) for axis in range(3))
        return z, y, x

    def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """z, y, x on the network's grid, in HU: positive where it sees lung."""
        turned = self._turned(image).transpose(self.plans.transpose_forward)
        data = torch.from_numpy(self._normalised(turned))
        logits = self._logits(data[None])
        decision = logits[list(self.lung)].amax(dim=0)
        if self.other:
            decision = decision - logits[list(self.other)].amax(dim=0)
        if not bool(torch.isfinite(decision).all()):
            wrong = int((~torch.isfinite(decision)).sum())
            raise NotFinite(f"{wrong} of {decision.numel()} decisions are no numbers")
        return self._turned(decision.numpy().transpose(self.plans.transpose_backward))

    def _turned(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        return image[:, ::-1, ::-1] if self.axes == "RAS" else image

    def _normalised(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        scheme = _NORMALISATIONS[self.configuration.normalization_schemes[0]]
        intensities = self.plans.foreground_intensity_properties_per_channel["0"]
        normalised: NDArray[np.float32] = scheme(False, intensities).run(image.copy())
        return normalised

    def _logits(self, data: torch.Tensor) -> torch.Tensor:
        """Channel and the plans' axes: the mean of the folds."""
        total = torch.zeros(())
        for weights in self.folds:
            if len(self.folds) > 1:
                self.predictor.network.load_state_dict(weights)
            total = total + self.predictor.predict_sliding_window_return_logits(data).cpu().float()
        return total / len(self.folds)


@dataclass(frozen=True)
class LungRules(FieldRules):
    air_hu: float = -400.0  # not given back: what the network left out of the lungs is airway or gas
    smallest_part: float = 0.05  # of the largest part of lung; less is a speck
    least_air: float = 0.02  # of a part's voxels; where there is less there is no lung to be seen


@dataclass(frozen=True)
class NnUnetSegmenter:
    """Made by `load_nnunet`. Errors of the device, out of memory among them, pass through."""

    identity: AlgorithmIdentity
    network: _Network
    rules: LungRules | None = field(default_factory=LungRules)  # None: what the network alone says

    def __call__(self, volume: CtVolume) -> Mask:
        """z, y, x: the lung field, consolidation and masses inside it. Raises `NotFinite`."""
        extent = tuple(n * s for n, s in zip(volume.hu.shape, volume.spacing_mm, strict=True))
        image = resized(volume.hu, _shape(extent, self.network.spacing_mm(volume.spacing_mm)))
        decision = self.network(image)
        if self.rules is None:
            return positive(decision, volume.hu.shape)
        shape = _shape(extent, [max(_FIELD_MM, e / n) for e, n in zip(extent, image.shape, strict=True)])
        spacing_mm = tuple(e / n for e, n in zip(extent, shape, strict=True))
        completed = _completed(resized(decision, shape), resized(image, shape), spacing_mm, self.rules)
        return positive(completed, volume.hu.shape)


def _shape(extent_mm: Sequence[float], spacing_mm: Sequence[float]) -> Shape:
    z, y, x = (max(1, round(e / s)) for e, s in zip(extent_mm, spacing_mm, strict=True))
    return z, y, x


def _completed(
    decision: NDArray[np.float32], hu: NDArray[np.float32], spacing_mm: Spacing, rules: LungRules
) -> NDArray[np.float32]:
    """The decision without airways and specks, and with what disease has filled."""
    seen, air = decision > 0, hu < rules.air_hu
    airways = airway_sections(seen & air, ~air, hu, spacing_mm, rules)
    lungs = _without_specks(seen & ~airways, air, rules)
    never = (hu > rules.bone_hu) | air | midline(~air, spacing_mm, rules)
    whole = lung_field(lungs, never & ~lungs, spacing_mm, rules) & ~airways
    completed = np.clip(decision, -_EDGE, _EDGE)
    completed[whole & ~seen] = _EDGE
    completed[seen & ~whole] = -_EDGE
    return completed


def _without_specks(lungs: Mask, air: Mask, rules: LungRules) -> Mask:
    labels = components(lungs)
    sizes = np.bincount(labels.ravel(), minlength=2)
    aerated = np.bincount(labels[air], minlength=len(sizes)) >= rules.least_air * sizes
    kept: Mask = ((sizes >= rules.smallest_part * sizes[1]) & aerated)[labels] & lungs
    return kept


def embedded_lungs() -> Path:
    """The folder of the embedded network; its card says what it was trained on."""
    return Path(__file__).parent / "bundles" / "lungs"


def load_nnunet(
    folder: Path,
    lung_labels: Sequence[str | int],
    device: str = "cpu",
    *,
    axes: Axes = "LPS",
    rules: LungRules | None = None,
) -> NnUnetSegmenter:
    """`folder` holds `plans.json`, `dataset.json` and `fold_*/checkpoint_final.pth` of nnU-Net v2.

    `lung_labels` are names or numbers of `dataset.json`: what belongs to one of them is lung. Its
    numbered folds vote, as in nnU-Net; `fold_all` is taken where there is no other. `axes` says which
    way columns and rows of its training images ran: LPS as in DICOM, RAS as in TotalSegmentator's.
    `device` is torch's. Raises `BadModelFolder`.
    """
    plans, facts = _json(folder / PLANS), _json(folder / FACTS)
    paths = sorted(folder.glob(f"fold_[0-9]*/{CHECKPOINT}")) or sorted(folder.glob(f"fold_all/{CHECKPOINT}"))
    if not paths:
        raise BadModelFolder(f"{folder.name}: no fold_*/{CHECKPOINT}")
    card = _card(folder)
    checkpoints = [_checkpoint(path) for path in paths]
    predictor = _predictor(plans, facts, checkpoints, torch.device(device))
    lung, other = _channels(predictor.label_manager, lung_labels, folder.name)
    network = _Network(predictor, tuple(c.weights for c in checkpoints), lung, other, axes)
    rules = rules or LungRules()
    return NnUnetSegmenter(_identity(folder, paths, card, (lung_labels, axes, asdict(rules))), network, rules)


@dataclass(frozen=True, eq=False)
class _Checkpoint:
    name: str
    configuration: str
    weights: Mapping[str, torch.Tensor]


def _checkpoint(path: Path) -> _Checkpoint:
    """Numbers only: nnU-Net's own loader would run whatever a pickle says."""
    name = f"{path.parent.name}/{path.name}"
    try:
        with torch.serialization.safe_globals(list(_NUMBERS)):
            content = torch.load(path, map_location="cpu", weights_only=True)
        return _Checkpoint(name, str(content["init_args"]["configuration"]), dict(content["network_weights"]))
    except pickle.UnpicklingError:
        raise BadModelFolder(f"{name}: holds more than weights and numbers, and is not loaded") from None
    except (EOFError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise BadModelFolder(f"{name}: no checkpoint of nnU-Net v2 ({error!r})") from error


def _predictor(
    plans: JsonObject, facts: JsonObject, checkpoints: Sequence[_Checkpoint], device: torch.device
) -> nnUNetPredictor:
    configurations = {c.configuration for c in checkpoints}
    if len(configurations) > 1:
        raise BadModelFolder(f"folds of different configurations: {sorted(configurations)}")
    try:
        manager = PlansManager(plans)
        configuration = manager.get_configuration(checkpoints[0].configuration)
        _refuse_unusable(configuration, facts)
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            input_channels=1,
            output_channels=manager.get_label_manager(facts).num_segmentation_heads,
            deep_supervision=False,
        )
    except (AssertionError, KeyError, RuntimeError, TypeError) as error:
        raise BadModelFolder(f"{PLANS} and {FACTS} describe no network: {error!r}") from error
    for checkpoint in checkpoints:
        if problem := misfit(network.state_dict(), checkpoint.weights):
            raise BadModelFolder(f"{checkpoint.name} does not fit {PLANS}: {problem}")
    network.load_state_dict(checkpoints[0].weights)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it predicts on the CPU
        predictor = nnUNetPredictor(
            tile_step_size=_TILE_STEP, use_mirroring=False, device=device, allow_tqdm=False
        )
    predictor.manual_initialization(network.to(device), manager, configuration, None, facts, "", None)
    return predictor


def _refuse_unusable(configuration: ConfigurationManager, facts: JsonObject) -> None:
    if len(facts["channel_names"]) != 1:
        raise BadModelFolder(f"{len(facts['channel_names'])} input channels, expected CT alone")
    if configuration.previous_stage_name is not None:
        raise BadModelFolder(f"a cascade: it needs the output of {configuration.previous_stage_name}")
    scheme = configuration.normalization_schemes[0]
    if scheme not in _NORMALISATIONS:
        raise BadModelFolder(f"normalisation {scheme}, expected one of {', '.join(_NORMALISATIONS)}")
    arguments = configuration.network_arch_init_kwargs
    named = [arguments[key] for key in configuration.network_arch_init_kwargs_req_import]
    foreign = [n for n in named if n is not None and not n.startswith(_PARTS)]
    if not configuration.network_arch_class_name.startswith(_NETWORKS):
        foreign.insert(0, configuration.network_arch_class_name)
    if foreign:
        raise BadModelFolder(f"{PLANS} names {foreign[0]}, which is no part of nnU-Net's networks")


def _channels(
    labels: LabelManager, lung_labels: Sequence[str | int], folder: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the output: those that mean lung, and those that mean something else."""
    known = {name: value for name, value in labels.label_dict.items() if name not in ("background", "ignore")}
    wanted = {label if isinstance(label, str) else _name_of(label, known) for label in lung_labels}
    if not wanted or wanted - known.keys():
        raise BadModelFolder(
            f"{folder}: no label {sorted(wanted - known.keys())}, there are"
            f" {', '.join(f'{name} ({value})' for name, value in known.items())}"
        )
    if labels.has_regions:  # one channel each, in this order, and no background
        return tuple(i for i, name in enumerate(known) if name in wanted), ()
    lung = tuple(sorted(int(known[name]) for name in wanted))
    return lung, tuple(n for n in range(labels.num_segmentation_heads) if n not in lung)


def _name_of(number: int, known: Mapping[str, object]) -> str:
    return next((name for name, value in known.items() if value == number), str(number))


def _card(folder: Path) -> LungCard | None:
    path = folder / CARD
    if not path.exists():
        return None
    try:
        return LungCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadModelFolder(f"{folder.name}/{CARD}: " + "; ".join(mistakes)) from None


def _json(path: Path) -> JsonObject:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BadModelFolder(f"{path.parent.name}: {error.strerror}: {path.name}") from error
    except ValueError as error:
        raise BadModelFolder(f"{path.parent.name}/{path.name} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadModelFolder(f"{path.parent.name}/{path.name} is no JSON object")
    return content


def _identity(
    folder: Path, checkpoints: Sequence[Path], card: LungCard | None, how: object
) -> AlgorithmIdentity:
    """Its digest covers plans, labels, the weights of all folds and how they are used."""
    files = [folder / PLANS, folder / FACTS, *checkpoints]
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    if card and card.checkpoint_sha256 not in sums:
        raise BadModelFolder(
            f"{folder.name}: the card was written for another checkpoint: {card.checkpoint_sha256[:12]}…"
        )
    digest = hashlib.sha256(json.dumps([_VERSION, sums, how], sort_keys=True).encode()).hexdigest()
    if card:
        return AlgorithmIdentity(card.name, card.version, digest, card.manufacturer)
    return AlgorithmIdentity(f"nnunet-{folder.name}", digest[:12], digest, "unknown")
