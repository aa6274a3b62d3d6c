"""Lungs by thresholds and shape: air inside the body, then what disease has filled is given back."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

import numpy as np

from inference.coarse import Coarse, coarse
from inference.findings import AlgorithmIdentity
from inference.lung_field import FieldRules, lung_field, middle_column, midline
from inference.morphology import Mask, components, eroded, filled_by_slice, opened, regions
from inference.volume import CtVolume

_VERSION = "2"


@dataclass(frozen=True)
class Rules(FieldRules):
    air_hu: float = -400.0  # below: lung, airway or gas
    gas_hu: float = -950.0  # a region with a median below has no tissue in it: airway, bowel, outside
    body_opening_mm: float = 4.0  # parts the table from the back
    airway_hu: float = -900.0  # likewise, for sections so small that their walls blur them
    airway_mm2: float = 800.0  # the widest trachea or main bronchus in a slice
    airway_from_midline_mm: float = 45.0
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
        airways = _airways(air, image, body, self.rules)
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


def _airways(air: Mask, image: Coarse, body: Mask, rules: Rules) -> Mask:
    """Small sections of pure air near the midline: trachea, main bronchi, oesophagus."""
    airways = np.zeros_like(air)
    middle, (_, row_mm, column_mm) = middle_column(body), image.spacing_mm
    for k, plane in enumerate(air):
        for section in regions(plane):
            y, x = section
            small = y.size * row_mm * column_mm < rules.airway_mm2
            near = abs(x.mean() - middle) * column_mm < rules.airway_from_midline_mm
            if small and near and np.median(image.hu[k][section]) < rules.airway_hu:
                airways[k][section] = True
    return airways
