"""One volume to one `Analysis`: segment, select, classify and explain, pool."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference import quality
from inference.annotation_files import read as read_annotation
from inference.annotations import Annotation, Series
from inference.classifier import Classifier
from inference.executor import OnStage, Request
from inference.findings import (
    AlgorithmIdentity,
    Analysis,
    Candidate,
    Consistency,
    InputQuality,
    Label,
    QualityCode,
    ScoredSlice,
    SlicePolicy,
    Timings,
    read,
)
from inference.gradcam import heat
from inference.morphology import Mask
from inference.preprocess import Slab, frame, network_input, slabs
from inference.targets import Region, Selection, TargetSelector
from inference.volume import CtVolume, NoLungs, load

LEAST_SHARE = {
    SlicePolicy.ANNOTATED: 0.0,
    SlicePolicy.AUTOMATIC: 0.5,
}  # of a slab's slices that show the target


class Segmenter(Protocol):
    @property
    def identity(self) -> AlgorithmIdentity: ...

    def __call__(self, volume: CtVolume, /) -> Mask:
        """z, y, x: the lung field, consolidation and masses inside it."""


@dataclass(frozen=True)
class Rules:
    """What a site decides about analyses."""

    minimum_lung_ml: float = 500.0  # less is no chest
    abstain_for: frozenset[QualityCode] = frozenset()  # findings with which no number is given
    algorithm_annotations: bool = False  # do another algorithm's marks select slices?


@dataclass(frozen=True)
class Models:
    """What an analysis is made with; kept warm from study to study."""

    segment: Segmenter
    select: tuple[TargetSelector, ...]  # asked in turn; the first that finds a target decides
    classify: Classifier
    rules: Rules
    candidate: Classifier | None = None  # scores what `classify` has scored; never decides anything


def analyse(
    volume: CtVolume,
    annotations: Sequence[Annotation],
    models: Models,
    *,
    on_stage: OnStage = lambda _stage: None,
) -> Analysis:
    """Without a target nothing is scored; `on_stage` hears each stage as it begins, from `segment` on."""
    on_stage("segment")
    started = time.perf_counter()
    lungs = models.segment(volume)
    lung_ml = float(lungs.sum()) * volume.voxel_ml
    if lung_ml < models.rules.minimum_lung_ml:
        raise NoLungs(f"{lung_ml:.0f} ml of lung, need {models.rules.minimum_lung_ml:.0f} ml")

    on_stage("select")
    segmented = time.perf_counter()
    selection = _selected(volume, lungs, annotations, models.select)
    found = _input_quality(volume, lungs, lung_ml, selection, models.classify)
    abstained_for = tuple(finding for finding in found if finding.code in models.rules.abstain_for)

    on_stage("classify")
    selected = time.perf_counter()
    shown = _shown(volume, selection, models.classify)
    score = _score(volume, lungs, shown, models.classify) if shown and not abstained_for else None
    classified = time.perf_counter()

    return Analysis(
        study_instance_uid=volume.study_instance_uid,
        series_instance_uid=volume.series_instance_uid,
        label=score.label if score else None,
        probability=score.probability if score else None,
        consistency=score.consistency if score else None,
        calibration=score.calibration if score else "",
        threshold=models.classify.bundle.card.threshold,
        slice_policy=selection.policy,
        target=selection.regions[0].target if selection.regions else None,
        other_candidates=tuple(region.target for region in selection.regions[1:]),
        slices=_scored_slices(volume, lungs, selection, shown, score),
        lung_volume_ml=lung_ml,
        input_quality=found,
        abstained_for=abstained_for,
        classifier=models.classify.identity,
        segmenter=models.segment.identity,
        timings_s=Timings(volume.load_s, segmented - started, selected - segmented, classified - selected),
        selected_by=selection.mark,
        candidate=_beside(volume, lungs, selection, models.candidate, on_stage)
        if score and models.candidate
        else None,
    )


@dataclass(frozen=True)
class InProcess:
    """The Executor that analyses here and now."""

    models: Models

    def __call__(self, request: Request, *, on_stage: OnStage) -> Analysis:
        on_stage("load")
        loaded = load(request.slices)
        volume = replace(loaded, findings=(*loaded.findings, *request.findings))
        series = Series(volume.series_instance_uid, volume.frame_of_reference_uid)
        algorithms = self.models.rules.algorithm_annotations
        annotations = [read_annotation(file, series, algorithms=algorithms) for file in request.annotations]
        if request.candidate or self.models.candidate is None:
            return analyse(volume, annotations, self.models, on_stage=on_stage)
        alone = analyse(volume, annotations, replace(self.models, candidate=None), on_stage=on_stage)
        return replace(alone, candidate=_left_out(alone, self.models.candidate))


def _selected(
    volume: CtVolume, lungs: Mask, annotations: Sequence[Annotation], selectors: Sequence[TargetSelector]
) -> Selection:
    """What the first selector with a target found, and why those before it could not use an annotation."""
    findings: tuple[InputQuality, ...] = ()
    for select in selectors:
        selection = select(volume, lungs, annotations)
        findings += selection.findings
        if selection.regions:
            return replace(selection, findings=findings)
    return Selection(SlicePolicy.NONE, findings=findings)


def _shown(volume: CtVolume, selection: Selection, classify: Classifier) -> tuple[Slab, ...]:
    """The slabs that are scored."""
    if not selection.regions:
        return ()
    cut = slabs(volume, classify.bundle.preprocessing.slice_thickness_mm)
    return showing(selection.regions[0], cut, at_least=LEAST_SHARE[selection.policy])


def showing(region: Region, cut: Sequence[Slab], *, at_least: float) -> tuple[Slab, ...]:
    """The slabs of which the lesion is in this share of the slices; the fullest, if it is thinner than that."""
    shown = frozenset(region.shown)
    filled = [sum(k in shown for k in slab.slices) / len(slab.slices) for slab in cut]
    enough = min(at_least, max(filled))
    return tuple(slab for slab, share in zip(cut, filled, strict=True) if share > 0 and share >= enough)


@dataclass(frozen=True, eq=False)
class _Score:
    label: Label
    probability: float
    consistency: Consistency
    calibration: str
    of_slabs: NDArray[np.float32]  # probabilities
    heats: tuple[NDArray[np.float32], ...]  # each on the grid of its source slice


def _score(volume: CtVolume, lungs: Mask, shown: Sequence[Slab], classify: Classifier) -> _Score:
    numbers, card = classify.bundle.preprocessing, classify.bundle.card
    place = frame(volume, lungs, numbers)
    images = np.stack([network_input(volume.hu, lungs, slab, place, numbers) for slab in shown])
    scores = classify(np.concatenate([images, images[:, :, ::-1]]))
    seen, mirrored = np.split(scores.probabilities, 2)
    probability, if_mirrored = (card.of_patient(p) for p in (seen, mirrored))
    label = read(probability, card.threshold)
    heats = heat(scores.evidence[: len(images)], label)
    return _Score(
        label=label,
        probability=probability,
        consistency=Consistency(float(np.std(seen)), abs(probability - if_mirrored)),
        calibration=card.calibration.statement if card.calibration else "",
        of_slabs=seen,
        heats=tuple(np.clip(place.from_network(image), 0.0, 1.0) for image in heats),
    )


def _beside(
    volume: CtVolume, lungs: Mask, selection: Selection, classify: Classifier, on_stage: OnStage
) -> Candidate:
    """The same target in slabs and pixels of the candidate's own; whatever goes wrong is said in what it gives."""
    on_stage("candidate")
    try:
        score = _score(volume, lungs, _shown(volume, selection, classify), classify)
    except Exception as error:  # noqa: BLE001 - it never costs the study its result
        ours = type(error).__module__.startswith("inference.")  # says only what may be said
        failure = f"{type(error).__name__}: {error}" if ours else type(error).__name__
        return Candidate(classify.identity, classify.bundle.card.threshold, None, failure)
    return Candidate(classify.identity, classify.bundle.card.threshold, score.probability)


def _left_out(found: Analysis, classify: Classifier) -> Candidate | None:
    if found.probability is None:
        return None
    failure = "left out: an earlier attempt at this analysis failed"
    return Candidate(classify.identity, classify.bundle.card.threshold, None, failure)


def _scored_slices(
    volume: CtVolume, lungs: Mask, selection: Selection, shown: Sequence[Slab], score: _Score | None
) -> tuple[ScoredSlice, ...]:
    slices = []
    for number, slab in enumerate(shown):
        middle = slab.middle
        hu = volume.hu[middle]
        slices.append(
            ScoredSlice(
                sop_instance_uid=volume.sop_instance_uids[middle],
                source_uids=tuple(volume.sop_instance_uids[k] for k in slab.slices),
                instance_number=volume.instance_numbers[middle],
                position_mm=volume.positions_mm[middle],
                probability=float(score.of_slabs[number]) if score else None,
                hu=hu,
                lungs=lungs[middle],
                lesion=selection.regions[0].plane(middle, (hu.shape[0], hu.shape[1])),
                heat=score.heats[number] if score else None,
            )
        )
    return tuple(slices)


def _input_quality(
    volume: CtVolume, lungs: Mask, lung_ml: float, selection: Selection, classify: Classifier
) -> tuple[InputQuality, ...]:
    expected_mm = classify.bundle.preprocessing.slice_thickness_mm
    group = len(slabs(volume, expected_mm)[0].slices)
    slab_mm = max(group * volume.spacing_mm[0], volume.slice_thickness_mm or 0.0)
    return tuple(
        sorted(
            (
                *volume.findings,
                *quality.of_thickness(slab_mm, expected_mm),
                *quality.of_lungs(volume.hu, lungs, lung_ml),
                *selection.findings,
            )
        )
    )
