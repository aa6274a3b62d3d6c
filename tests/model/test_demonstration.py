"""The embedded bundle is what its card says, and its figures are the service's."""

from dataclasses import dataclass

import numpy as np
import pytest

from inference.analyse import Models, Rules, analyse
from inference.bundle import demonstration, load_bundle
from inference.classifier import Classifier
from inference.findings import AlgorithmIdentity, Label, SlicePolicy, Target
from inference.morphology import Mask
from inference.phantom import SHARP_KERNEL, LesionKind, Phantom, as_volume, chest
from inference.targets import Region, Selection
from inference.training.embedded.card import PREPROCESSING
from inference.training.embedded.cohort import LIKE_THE_PAPER, Case, Patient, drawn_case
from inference.training.embedded.demonstration import SEED, parts
from inference.training.embedded.held_out import peak_in, verdict

THICK_MM = 6.0  # thinner slices take longer to draw


@pytest.fixture(scope="module")
def classify() -> Classifier:
    return Classifier(load_bundle(demonstration()))


def held_out(kind: LesionKind, count: int) -> list[Case]:
    _, _, test = parts(LIKE_THE_PAPER, SEED)
    picked = [p for p in test if p.kind is kind and p.slice_mm > THICK_MM][:count]
    return [drawn_case(patient, PREPROCESSING) for patient in picked]


def test_the_card_holds_the_figures_and_their_controls() -> None:
    metrics = {m.name: m for m in load_bundle(demonstration()).card.metrics}
    heat = metrics["heat peak in the lesion (true positives)"]
    assert metrics["AUC"].value >= 0.95
    assert heat.value >= 0.8
    assert heat.patients == round(metrics["sensitivity"].value * metrics["sensitivity"].patients)
    assert 0.3 < metrics["AUC, labels shuffled (mean and range of 5 trainings)"].value < 0.7
    assert metrics["AUC, sizes matched"].value > metrics["AUC of the size alone, sizes matched"].value
    assert {"AUC of the size alone", "AUC of the number of slices alone"} < metrics.keys()
    assert all(m.low <= m.value <= m.high for m in metrics.values())


def test_the_embedded_weights_rank_held_out_patients_and_their_heat_is_on_the_lesion(
    classify: Classifier,
) -> None:
    pima, ipn = (
        [verdict(classify, case) for case in held_out(kind, 3)]
        for kind in (LesionKind.PIMA_LIKE, LesionKind.IPN_LIKE)
    )
    assert min(v.probability for v in pima) > max(v.probability for v in ipn)
    assert sum(v.peak_in_lesion for v in pima) >= 2


@dataclass(frozen=True)
class KnownTruth:
    """The phantom's own lungs and lesion, as segmenter and selector."""

    phantom: Phantom

    @property
    def identity(self) -> AlgorithmIdentity:
        return AlgorithmIdentity("truth", "1", "0" * 64)

    def __call__(self, *_: object) -> Mask:
        return self.phantom.lungs

    def select(self, *_: object) -> Selection:
        lesion, position, size = self.phantom.lesion, self.phantom.position_mm, self.phantom.size_mm
        assert position is not None
        assert size is not None
        shown = tuple(np.flatnonzero(lesion.any(axis=(1, 2))).tolist())
        return Selection(SlicePolicy.ANNOTATED, (Region(Target(position, size), shown, (0, 0, 0), lesion),))


def test_a_verdict_is_what_the_service_finds_on_annotated_slices(classify: Classifier) -> None:
    patient = Patient(
        11, LesionKind.PIMA_LIKE, size_mm=32.0, slice_mm=8.0, noise_hu=20.0, kernel=SHARP_KERNEL
    )
    phantom = chest(
        seed=11, lesion=patient.kind, size_mm=32.0, slice_mm=8.0, pixel_mm=1.4, pixels=256, noise_hu=20.0
    )
    truth = KnownTruth(phantom)
    case = drawn_case(patient, PREPROCESSING)
    analysis = analyse(as_volume(phantom), (), Models(truth, (truth.select,), classify, Rules()))
    found = verdict(classify, case)
    heats = np.stack([s.heat for s in analysis.slices if s.heat is not None])
    assert len(analysis.slices) == found.slabs
    assert analysis.label is found.label is Label.PIMA
    assert analysis.probability == pytest.approx(found.probability, abs=2e-3)  # images were kept as float16
    assert peak_in(heats, case.lesion) is found.peak_in_lesion


def test_without_heat_there_is_no_peak() -> None:
    lesion = np.ones((1, 4, 4), dtype=np.bool_)
    assert peak_in(np.zeros((1, 4, 4), dtype=np.float32), lesion) is False
