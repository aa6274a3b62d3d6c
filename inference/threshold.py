"""Lungs by thresholds and shape: air inside the body, then what disease has filled is given back."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

import numpy as np

from inference.coarse import Coarse, coarse
from inference.findings import AlgorithmIdentity
from inference.lung_field import FieldRules, airway_sections, lung_field, midline
from inference.morphology import Mask, components, eroded, filled_by_slice, opened
from inference.volume import CtVolume

_VERSION = "2"


@dataclass(frozen=True)
class Rules(FieldRules):
    air_hu: float = -400.0  # below: lung, airway or gas
    gas_hu: float = -950.0  # a region with a median below has no tissue in it: airway, bowel, outside
    body_opening_mm: float = 4.0  # parts the table from the back
    smallest_lung_ml: float = 40.0
    short_stack_mm: float = 100.0  # a stack shorter than this shows that much less of a lung
    core_mm: float = 6.0  # a lung is this thick somewhere, a fold of air under the back is not


@dataclass(frozen=True)
class ThresholdSegmenter:
    rules: Rules = field(default_factory=Rules)

    @property
    def identity(self) -> AlgorithmIdentity:
        facts = json.dumps({"version": _VERSION, **asdict(self.rules)}, sort_keys=True)
        return AlgorithmIdentity("threshold-lungs", _VERSION, hashlib.sha256(facts.encode()).hexdigest())

    def __call__(self, volume: CtVolume) -> Mask:
        """z, y, x: the lung field, consolidation and masses inside it."""
        image = coarse(volume.hu, volume.spacing_mm)
        body = _body(image, self.rules)
        air = body & (image.hu < self.rules.air_hu)
        airways = airway_sections(air, body, image.hu, image.spacing_mm, self.rules)
        aerated = _aerated_lungs(air & ~airways, image, self.rules)
        never = (image.hu > self.rules.bone_hu) | airways | midline(body, image.spacing_mm, self.rules)
        lungs = lung_field(aerated, never, image.spacing_mm, self.rules)
        return image.refined(lungs & ~airways)


def _body(image: Coarse, rules: Rules) -> Mask:
    tissue = opened(image.hu > rules.air_hu, rules.body_opening_mm, image.spacing_mm)
    return filled_by_slice(components(tissue) == 1)


def _aerated_lungs(air: Mask, image: Coarse, rules: Rules) -> Mask:
    kept = np.zeros_like(air)
    labels = components(air)
    shown = min(1.0, air.shape[0] * image.spacing_mm[0] / rules.short_stack_mm)
    for label in range(1, int(labels.max()) + 1):
        part = labels == label
        if part.sum() * image.voxel_ml < rules.smallest_lung_ml * shown:
            break  # they come by falling size
        thick = eroded(part, rules.core_mm, image.spacing_mm).any()
        if thick and np.median(image.hu[part]) > rules.gas_hu:
            kept |= part
    return kept
