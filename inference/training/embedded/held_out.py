"""A bundle on patients it has not seen, through the service's own classifier, pooling and heat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.bundle import Metric
from inference.classifier import Classifier
from inference.evaluation.discrimination import auc, bootstrap
from inference.evaluation.estimate import Estimate, computed
from inference.evaluation.proportions import wilson
from inference.evaluation.sample import Truth
from inference.findings import Label, pool, read
from inference.gradcam import heat
from inference.morphology import Mask
from inference.training.embedded.cohort import Case, Patient


@dataclass(frozen=True)
class Verdict:
    patient: Patient
    label: Label
    probability: float
    slabs: int
    peak_in_lesion: bool  # where the heat of all slabs is highest, with no tolerance


def verdict(classify: Classifier, case: Case) -> Verdict:
    scores = classify(case.images.astype(np.float32))
    probability = pool(scores.probabilities)
    label = read(probability, classify.bundle.card.threshold)
    heats = np.stack([case.place.from_network(plane) for plane in heat(scores.evidence, label)])
    return Verdict(case.patient, label, probability, len(case.images), peak_in(heats, case.lesion))


def peak_in(heats: NDArray[np.float32], lesion: Mask) -> bool:
    """Both slabs, rows, columns; no heat peaks nowhere."""
    return bool(heats.max() > 0 and lesion.flat[heats.argmax()])


def figures(verdicts: Sequence[Verdict], rng: np.random.Generator) -> tuple[Metric, ...]:
    """What the paper reports of a model, and where its heat is highest in the patients it rightly calls PIMA."""
    positive = _truth(verdicts)
    called = np.array([v.label is Label.PIMA for v in verdicts])
    peaks = np.array([v.peak_in_lesion for v in verdicts])
    return (
        area("AUC", verdicts, lambda v: v.probability, rng),
        _share("sensitivity", called[positive]),
        _share("specificity", ~called[~positive]),
        _share("accuracy", called == positive),
        _share("heat peak in the lesion (true positives)", peaks[called & positive]),
    )


def area(
    name: str, verdicts: Sequence[Verdict], score: Callable[[Verdict], float], rng: np.random.Generator
) -> Metric:
    """The AUC of any score of a patient."""
    scores, positive = np.array([score(v) for v in verdicts], dtype=np.float64), _truth(verdicts)
    return _metric(name, computed(bootstrap(positive, scores, rng=rng)).auc, positive.size)


def mean_area(name: str, trainings: Sequence[Sequence[Verdict]]) -> Metric:
    """The AUCs of several trainings on the same patients: their mean, lowest and highest, and so named."""
    areas = [
        computed(auc(_truth(verdicts), np.array([v.probability for v in verdicts]))) for verdicts in trainings
    ]
    return Metric(
        name=f"{name} (mean and range of {len(areas)} trainings)",
        value=float(np.mean(areas)),
        low=min(areas),
        high=max(areas),
        patients=len(trainings[0]),
    )


def _truth(verdicts: Sequence[Verdict]) -> Truth:
    return np.array([v.patient.is_pima for v in verdicts])


def _share(name: str, hits: Truth) -> Metric:
    return _metric(name, computed(wilson(int(hits.sum()), hits.size)), hits.size)


def _metric(name: str, interval: Estimate, patients: int) -> Metric:
    return Metric(name=name, value=interval.value, low=interval.low, high=interval.high, patients=patients)
