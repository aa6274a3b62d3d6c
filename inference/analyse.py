"""One volume to one `Analysis`: segment, select, classify and explain, pool."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference import quality
from inference.classifier import Classifier, Scores
from inference.findings import (
    AlgorithmIdentity,
    Analysis,
    InputQuality,
    Label,
    ScoredSlice,
    SlicePolicy,
    Target,
    Timings,
    pool,
)
from inference.gradcam import heat
from inference.morphology import Mask
from inference.preprocess import Frame, Slab, frame, network_input, slabs
from inference.targets import Region, TargetSelector
from inference.volume import CtVolume

OnStage = Callable[[str], None]


class NoLungs(ValueError):
    """So little lung was found that the series is no chest, or that the segmenter failed on it."""


class Segmenter(Protocol):
    @property
    def identity(self) -> AlgorithmIdentity: ...

    def __call__(self, volume: CtVolume, /) -> Mask:
        """z, y, x: the lung field, consolidation and masses inside it."""


@dataclass(frozen=True)
class Models:
    """What an analysis is made with; kept warm from study to study."""

    segment: Segmenter
    select: TargetSelector
    classify: Classifier


def analyse(
    volume: CtVolume, models: Models, *, minimum_lung_ml: float, on_stage: OnStage = lambda _stage: None
) -> Analysis:
    """Without a target nothing is scored; `on_stage` hears `segment`, `select`, `classify` as they begin."""
    on_stage("segment")
    started = time.perf_counter()
    lungs = models.segment(volume)
    lung_ml = float(lungs.sum()) * volume.voxel_ml
    if lung_ml < minimum_lung_ml:
        raise NoLungs(f"{lung_ml:.0f} ml of lung, need {minimum_lung_ml:.0f} ml")

    on_stage("select")
    segmented = time.perf_counter()
    regions = models.select(volume, lungs)

    on_stage("classify")
    selected = time.perf_counter()
    label, probability, scored = _classified(volume, lungs, regions, models.classify)
    classified = time.perf_counter()

    return Analysis(
        study_instance_uid=volume.study_instance_uid,
        series_instance_uid=volume.series_instance_uid,
        label=label,
        probability=probability,
        threshold=models.classify.bundle.card.threshold,
        slice_policy=SlicePolicy.AUTOMATIC if regions else SlicePolicy.NONE,
        target=_target(regions),
        other_candidates=tuple(region.target for region in regions[1:]),
        slices=scored,
        lung_volume_ml=lung_ml,
        input_quality=_input_quality(volume, lungs, lung_ml, models.classify),
        classifier=models.classify.identity,
        segmenter=models.segment.identity,
        timings_s=Timings(volume.load_s, segmented - started, selected - segmented, classified - selected),
    )


def _classified(
    volume: CtVolume, lungs: Mask, regions: Sequence[Region], classify: Classifier
) -> tuple[Label | None, float | None, tuple[ScoredSlice, ...]]:
    if not regions:
        return None, None, ()
    numbers = classify.bundle.preprocessing
    shown = showing(regions[0], volume, slabs(volume, numbers.slice_thickness_mm))
    place = frame(volume, lungs, numbers)
    scores = classify(np.stack([network_input(volume.hu, lungs, s, place, numbers) for s in shown]))
    label, probability = pool((float(p) for p in scores.probabilities), classify.bundle.card.threshold)
    return label, probability, _scored_slices(volume, lungs, regions[0], shown, scores, label, place)


def showing(region: Region, volume: CtVolume, all_slabs: Sequence[Slab]) -> tuple[Slab, ...]:
    """The slabs of which the lesion fills at least half the slices; the fullest, if it is thinner than that."""
    shape = volume.hu.shape[1:]
    filled = [
        sum(region.plane(k, (shape[0], shape[1])).any() for k in s.slices) / len(s.slices) for s in all_slabs
    ]
    enough = min(0.5, max(filled))
    return tuple(slab for slab, share in zip(all_slabs, filled, strict=True) if share >= enough)


def _scored_slices(
    volume: CtVolume,
    lungs: Mask,
    region: Region,
    shown: Sequence[Slab],
    scores: Scores,
    label: Label,
    place: Frame,
) -> tuple[ScoredSlice, ...]:
    heats = heat(scores.evidence, label)
    return tuple(
        _scored_slice(volume, lungs, region, slab, float(probability), place.from_network(image))
        for slab, probability, image in zip(shown, scores.probabilities, heats, strict=True)
    )


def _scored_slice(
    volume: CtVolume,
    lungs: Mask,
    region: Region,
    slab: Slab,
    probability: float,
    warmth: NDArray[np.float32],
) -> ScoredSlice:
    middle = slab.middle
    hu = volume.hu[middle]
    return ScoredSlice(
        sop_instance_uid=volume.sop_instance_uids[middle],
        source_uids=tuple(volume.sop_instance_uids[k] for k in slab.slices),
        instance_number=volume.instance_numbers[middle],
        position_mm=volume.positions_mm[middle],
        probability=probability,
        hu=hu,
        lungs=lungs[middle],
        lesion=region.plane(middle, (hu.shape[0], hu.shape[1])),
        heat=np.clip(warmth, 0.0, 1.0),
    )


def _target(regions: Sequence[Region]) -> Target | None:
    return regions[0].target if regions else None


def _input_quality(
    volume: CtVolume, lungs: Mask, lung_ml: float, classify: Classifier
) -> tuple[InputQuality, ...]:
    expected_mm = classify.bundle.preprocessing.slice_thickness_mm
    group = len(slabs(volume, expected_mm)[0].slices)
    slab_mm = max(group * volume.spacing_mm[0], volume.slice_thickness_mm or 0.0)
    found = (*volume.findings, *quality.of_thickness(slab_mm, expected_mm), *quality.of_lungs(lungs, lung_ml))
    return tuple(sorted(found))
