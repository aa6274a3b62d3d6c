"""What a trained bundle says of itself: the recipe's words, the manifest's facts, and figures of the test part."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from inference.bundle import Calibration, Card, ClassCode, Metric, Preprocessing, TrainedOn
from inference.dataset.folder import Dataset
from inference.dataset.manifest import Case, Mode, Split
from inference.evaluation.discrimination import Bootstrap, bootstrap
from inference.evaluation.estimate import Figure, NotComputable
from inference.evaluation.subject import Subject, probabilities_of, truth_of
from inference.evaluation.summary import summary
from inference.training.history import Epoch
from inference.training.recipe import Recipe

CLASSES = (
    ClassCode(label="PIMA", meaning="Pulmonary invasive mucinous adenocarcinoma"),
    ClassCode(label="IPN", meaning="Inflammatory pulmonary nodule"),
)
RESEARCH = "Research use only, not for diagnosis."
SYNTHETIC = "Trained on synthetic phantoms, no clinical meaning."
HISTOLOGY = "histology"


@dataclass(frozen=True)
class Training:
    """A finished one, of which a card is written."""

    recipe: Recipe
    dataset: Dataset
    split: Split
    best: Epoch
    epochs: int
    weights_sha256: str

    @property
    def fits_decision(self) -> bool:
        """In `paper` mode the selection patients are those of the figures, and nothing more is fitted to them."""
        return self.split.mode is not Mode.PAPER

    def cases(self, names: Iterable[str]) -> list[Case]:
        return [self.dataset.cases[name] for name in names]


def card_of(
    training: Training,
    *,
    threshold: float = 0.5,
    calibration: Calibration | None = None,
    metrics: tuple[Metric, ...] = (),
) -> Card:
    recipe, manifest = training.recipe, training.dataset.manifest
    words = recipe.bundle
    return Card(
        name=words.name,
        version=words.version,
        manufacturer=words.manufacturer,
        architecture=recipe.architecture,
        preprocessing=_seen(manifest.preprocessing, recipe),
        threshold=threshold,
        classes=CLASSES,
        training_data=_training_data(training),
        trained_on=TrainedOn(
            dataset_sha256=training.dataset.digest,
            split=training.split.name,
            segmenter=f"{manifest.segmenter.name} {manifest.segmenter.version}",
            segmenter_digest=manifest.segmenter.digest,
        ),
        metrics=metrics,
        calibration=calibration,
        intended_use=words.intended_use,
        limits=(*_limits(training, calibrated=calibration is not None), *words.limits),
        licence=words.licence,
        statements=(RESEARCH, SYNTHETIC) if manifest.synthetic else (RESEARCH,),
        weights_sha256=training.weights_sha256,
    )


def metrics_of(subjects: Sequence[Subject], threshold: float, seed: int) -> tuple[Metric, ...]:
    """Of patients, each with its 95 % interval; what cannot be computed is left out."""
    truth, probability = truth_of(subjects), probabilities_of(subjects)
    found = summary(truth, probability, threshold=threshold, seed=seed)
    counts = found.counts
    sized = [subject for subject in subjects if subject.size_mm is not None]
    size = bootstrap(
        truth_of(sized),
        np.array([subject.size_mm for subject in sized], dtype=np.float64),
        rng=np.random.default_rng(seed),
    )
    number = bootstrap(
        truth,
        np.array([subject.slices for subject in subjects], dtype=np.float64),
        rng=np.random.default_rng(seed),
    )
    rows: tuple[tuple[str, Figure | Bootstrap, int], ...] = (
        ("AUC", found.auc, counts.patients),
        ("sensitivity", found.sensitivity, counts.positive),
        ("specificity", found.specificity, counts.negative),
        ("accuracy", found.accuracy, counts.patients),
        ("AUC of the size alone", size, len(sized)),
        ("AUC of the number of slices alone", number, counts.patients),
    )
    return tuple(metric for row in rows for metric in _metric(*row))


def _metric(name: str, figure: Figure | Bootstrap, patients: int) -> tuple[Metric, ...]:
    """None where it cannot be computed."""
    estimate = figure.auc if isinstance(figure, Bootstrap) else figure
    if isinstance(estimate, NotComputable):
        return ()
    return (Metric(name=name, value=estimate.value, low=estimate.low, high=estimate.high, patients=patients),)


def _seen(prepared: Preprocessing, recipe: Recipe) -> Preprocessing:
    return prepared.model_copy(update={"outside_lungs": recipe.input.outside_lungs})


def _training_data(training: Training) -> str:
    manifest, split, best = training.dataset.manifest, training.split, training.best
    train = training.cases(split.train)
    slices = sum(len(case.slice_sha256) for case in train)
    everybody = training.cases(sorted({*split.train, *split.selection, *split.test}))
    return (
        f"{'Synthetic phantoms, no patients: ' if manifest.synthetic else ''}{manifest.name} {manifest.version}"
        f" (digest {training.dataset.digest[:12]}), split {split.name} ({manifest.split_by})."
        f" Training: {_counted(train)}, {slices} slices, begun with {begun(training.recipe)}."
        f" Selection: {_counted(training.cases(split.selection))}; epoch {best.number} of {training.epochs} was"
        f" kept (AUC {best.selection_auc:.3f})."
        f" Test: {_counted(training.cases(split.test))}{'' if training.fits_decision else ', the same patients'}."
        f" Confirmed by {tally(case.confirmed_by for case in everybody)}."
        f" Slices marked by {tally(case.marked_by for case in everybody)}."
        f" Lungs by {manifest.segmenter.name} {manifest.segmenter.version}."
    )


def _limits(training: Training, *, calibrated: bool) -> tuple[str, ...]:
    test = training.cases(training.split.test)
    negative = [case for case in training.dataset.manifest.cases if not case.positive]
    unproven = sum(case.confirmed_by != HISTOLOGY for case in negative)
    sites = {case.site for case in training.dataset.manifest.cases if case.site}
    drawn_from = {0: "sites that are not stated", 1: "one site"}.get(len(sites), f"{len(sites)} sites")
    return (
        f"Data of {drawn_from}, one split, {len(test)} patients in its test part; {_where_tested(training)}.",
        f"Of {len(negative)} patients with IPN {unproven} are without histology.",
        "Which slices are scored depends on who marks them.",
        "Calibrated on few patients of the same data; no clinical risk."
        if calibrated
        else "The probability is not calibrated and no clinical risk.",
        *(
            ("The threshold was fitted to the patients that selected the epoch.",)
            if _fits_threshold(training)
            else ()
        ),
        "Slices are resampled in their plane only and scored one by one.",
        *(() if training.fits_decision else (optimistic(training.split),)),
    )


def _fits_threshold(training: Training) -> bool:
    return training.fits_decision and training.recipe.decision.threshold == "youden"


def _where_tested(training: Training) -> str:
    split = training.split
    known = {case.site for case in training.cases({*split.train, *split.selection})}
    tested = {case.site for case in training.cases(split.test)}
    apart = "" not in tested and tested.isdisjoint(known)
    return "tested on sites that trained nothing" if apart else "no external validation"


def optimistic(split: Split) -> str:
    return f"The figures are optimistic: the {len(split.test)} patients they are of also chose the epoch, as in the paper."


def begun(recipe: Recipe) -> str:
    match recipe.initial:
        case "imagenet":
            return "ImageNet weights of torchvision"
        case "random":
            return "random weights"
        case path:
            return f"the weights in {path.name}"


def _counted(cases: Sequence[Case]) -> str:
    positive = sum(case.positive for case in cases)
    return f"{len(cases)} ({positive} PIMA, {len(cases) - positive} IPN)"


def tally(words: Iterable[str]) -> str:
    return ", ".join(f"{word or 'not stated'} {count}" for word, count in sorted(Counter(words).items()))
