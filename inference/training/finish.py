"""From the best weights to a bundle that the node loads as it is, measured on the test part."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from inference.bundle import Calibration, Card, load_bundle
from inference.classifier import Classifier
from inference.dataset.folder import Dataset
from inference.dataset.manifest import Split
from inference.evaluation.subject import Subject, probabilities_of, to_json, truth_of
from inference.training.bundle_folder import as_safetensors, put_bundle
from inference.training.card import Training, card_of, metrics_of
from inference.training.decide import platt, youden
from inference.training.durable import write_folder, write_whole
from inference.training.fit import Fitted
from inference.training.recipe import Recipe
from inference.training.scoring import read_by, scored

BUNDLE = "bundle"
PREDICTIONS, SELECTION = "predictions.json", "selection.json"


def finish(fitted: Fitted, dataset: Dataset, split: Split, recipe: Recipe) -> None:
    """Writes predictions, then the bundle, whole."""
    weights = as_safetensors(fitted.weights)
    training = Training(
        recipe, dataset, split, fitted.best, len(fitted.history), hashlib.sha256(weights).hexdigest()
    )
    with TemporaryDirectory() as draft:
        put_bundle(Path(draft), weights, card_of(training))
        classify = Classifier(load_bundle(Path(draft)))
        selection = scored(dataset, split.selection, classify)
        test = scored(dataset, split.test, classify)
    decided = _decided(training, selection)
    selection, test = (tuple(read_by(decided, patient) for patient in part) for part in (selection, test))
    card = decided.model_copy(update={"metrics": metrics_of(test, decided.threshold, recipe.seed)})
    write_whole(recipe.out / SELECTION, lambda partial: partial.write_bytes(to_json(selection)))
    write_whole(recipe.out / PREDICTIONS, lambda partial: partial.write_bytes(to_json(test)))
    write_folder(recipe.out / BUNDLE, lambda folder: put_bundle(folder, weights, card))


def _decided(training: Training, selection: Sequence[Subject]) -> Card:
    """With calibration and threshold as the recipe wants them."""
    wanted = training.recipe.decision
    truth = truth_of(selection)
    calibration: Calibration | None = None
    if wanted.calibrate and training.fits_decision:
        calibration = platt(truth, probabilities_of(selection), f"selection part of {training.split.name}")
    card = card_of(training, calibration=calibration)
    if wanted.threshold != "youden":
        return card.model_copy(update={"threshold": wanted.threshold})
    if not training.fits_decision:
        return card
    calibrated = [read_by(card, patient) for patient in selection]
    return card.model_copy(update={"threshold": youden(truth, probabilities_of(calibrated))})
