"""A dataset's patients as a bundle scores them, by the service's own classifier, pooling and calibration."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from inference.bundle import Card
from inference.classifier import Classifier
from inference.dataset.folder import Dataset
from inference.dataset.manifest import Case
from inference.evaluation.subject import Subject
from inference.training.slices import images_of


def scored(dataset: Dataset, names: Iterable[str], classify: Classifier) -> tuple[Subject, ...]:
    return tuple(scores(dataset, names, classify))


def scores(dataset: Dataset, names: Iterable[str], classify: Classifier) -> Iterator[Subject]:
    """Likewise one by one, for who shows how far it is."""
    card = classify.bundle.card
    for name in names:
        images = images_of(dataset, name, card.preprocessing.outside_lungs)
        of_slices = classify(images).probabilities.tolist()
        yield read_by(card, subject(dataset.cases[name], of_slices))


def subject(case: Case, of_slices: Sequence[float]) -> Subject:
    """Without the patient's probability."""
    return Subject(
        name=case.name,
        positive=case.positive,
        probability=None,
        slice_probabilities=tuple(of_slices),
        confirmed_by=case.confirmed_by,
        size_mm=case.size_mm,
        age_years=case.age_years,
        sex=case.sex,
        lobe=case.lobe,
        period=case.period,
        year=case.year,
        site=case.site,
        scanner=case.scanner,
        kernel=case.kernel,
        slice_thickness_mm=case.slice_thickness_mm,
        hard=case.hard,
    )


def read_by(card: Card, patient: Subject) -> Subject:
    """With the probability that this card makes of the slices', in the precision of the network."""
    of_slices = np.array(patient.slice_probabilities, dtype=np.float32)
    return replace(patient, probability=card.of_patient(of_slices))
