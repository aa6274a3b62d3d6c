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
from inference.training.card import optimistic, tally


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
    rivals: Mapping[str, tuple[Bundle, tuple[Subject, ...]]],
    further: tuple[Section, ...] = (),
) -> Source:
    """`subjects`: the patients of that part, as the bundle scores them; `rivals` by name, with theirs."""
    manifest, card = dataset.manifest, bundle.card
    models = {"The model": bundle, **{name: rival for name, (rival, _) in rivals.items()}}
    flattered = [_of_another_split(name, one, dataset, split, part) for name, one in models.items()]
    return Source(
        title=title,
        data=(
            f"The {part} part of {manifest.name} {manifest.version} (digest {dataset.digest[:12]}), split"
            f" {split.name} ({manifest.split_by}), lungs by {manifest.segmenter.name} {manifest.segmenter.version}"
            f"{'; synthetic phantoms, no patients' if manifest.synthetic else ''}."
            f" Slices marked by {tally(dataset.cases[name].marked_by for name in cases_of(split, part))}."
        ),
        model=model_of(bundle),
        threshold=card.threshold,
        subjects=subjects,
        flow=manifest.flow,
        optimistic=" ".join(filter(None, [_flattery(split, part), *flattered])),
        rivals={name: theirs for name, (_, theirs) in rivals.items()},
        further=(*_confounding(dataset), *further),
        calibrated=card.calibrated,
    )


def _of_another_split(name: str, bundle: Bundle, dataset: Dataset, split: Split, part: Part) -> str:
    """What a bundle saw of these patients in a training on another split of the dataset."""
    trained = bundle.card.trained_on
    if trained is None or trained.dataset_sha256 != dataset.digest or trained.split == split.name:
        return ""
    other = dataset.split(trained.split)
    seen = set(cases_of(split, part)) & {*other.train, *other.selection}
    if not seen:
        return ""
    return (
        f"{name} was trained on split {trained.split} and has seen {len(seen)} of these patients: its figures are"
        " optimistic."
    )


def _flattery(split: Split, part: Part) -> str:
    match part:
        case Part.TRAIN:
            return "Models of this split were trained on these patients: the figures say nothing of others."
        case Part.SELECTION:
            return (
                "These patients chose the epoch of this split's models, their calibration and their threshold: the"
                " figures are optimistic."
            )
        case Part.TEST:
            return optimistic(split) if split.mode is Mode.PAPER else ""


def _confounding(dataset: Dataset) -> tuple[Section, ...]:
    warnings = confounded(dataset.manifest)
    return (Section("What tells the classes apart without the nodule", warnings),) if warnings else ()
