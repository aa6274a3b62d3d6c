"""The report of a bundle on a part of a dataset."""

from collections.abc import Mapping

from inference.bundle import Bundle
from inference.dataset.confounding import confounded
from inference.dataset.folder import Dataset
from inference.dataset.manifest import Mode, Split
from inference.dataset.table import Part
from inference.evaluation.section import Section
from inference.evaluation.source import Model, Source
from inference.evaluation.subject import Subject
from inference.training.card import optimistic


def model_of(bundle: Bundle) -> Model:
    card = bundle.card
    return Model(
        name=card.name,
        version=card.version,
        digest=bundle.digest,
        training_data=card.training_data,
        preprocessing=card.preprocessing.statement,
        statements=card.statements,
        limits=card.limits,
    )


def cases_of(split: Split, part: Part) -> tuple[str, ...]:
    match part:
        case Part.TRAIN:
            return split.train
        case Part.SELECTION:
            return split.selection
        case Part.TEST:
            return split.test


def source_of(
    bundle: Bundle,
    dataset: Dataset,
    split: Split,
    part: Part,
    subjects: tuple[Subject, ...],
    *,
    title: str,
    rivals: Mapping[str, tuple[Subject, ...]],
    further: tuple[Section, ...] = (),
) -> Source:
    """`subjects`: the patients of that part, as the bundle scores them."""
    manifest = dataset.manifest
    return Source(
        title=title,
        data=(
            f"The {part} part of {manifest.name} {manifest.version} (digest {dataset.digest[:12]}), split"
            f" {split.name} ({manifest.split_by}), lungs by {manifest.segmenter.name} {manifest.segmenter.version}"
            f"{'; synthetic phantoms, no patients' if manifest.synthetic else ''}."
        ),
        model=model_of(bundle),
        threshold=bundle.card.threshold,
        subjects=subjects,
        flow=manifest.flow,
        optimistic=_flattery(split, part),
        rivals=rivals,
        further=(*_confounding(dataset), *further),
    )


def _flattery(split: Split, part: Part) -> str:
    match part:
        case Part.TRAIN:
            return "Models of this split were trained on these patients: the figures say nothing of others."
        case Part.SELECTION:
            return "These patients chose the epoch of this split's models: the figures are optimistic."
        case Part.TEST:
            return optimistic(split) if split.mode is Mode.PAPER else ""


def _confounding(dataset: Dataset) -> tuple[Section, ...]:
    warnings = confounded(dataset.manifest)
    return (Section("What tells the classes apart without the nodule", warnings),) if warnings else ()
