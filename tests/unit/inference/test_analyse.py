from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.analyse import Models, Rules, analyse, showing
from inference.annotations import Annotation
from inference.bundle import Calibration, demonstration, load_bundle
from inference.classifier import Backend, Classifier, Scores
from inference.findings import Analysis, InputQuality, Label, QualityCode, SlicePolicy, Target
from inference.morphology import Mask
from inference.phantom import LesionKind, Phantom, as_volume, chest
from inference.preprocess import slabs
from inference.targets import Region, Selection, select_automatically
from inference.threshold import ThresholdSegmenter
from inference.volume import CtVolume, NoLungs
from tests.phantom import small_chest


def nothing(_volume: CtVolume, _lungs: Mask, _annotations: Sequence[Annotation]) -> Selection:
    return Selection(SlicePolicy.NONE)


@pytest.fixture(scope="module")
def models() -> Models:
    classify = Classifier(load_bundle(demonstration()), backend=Backend.EAGER)
    return Models(
        segment=ThresholdSegmenter(), select=(select_automatically,), classify=classify, rules=Rules()
    )


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return chest(seed=10, lesion=LesionKind.IPN_LIKE, pixels=256, pixel_mm=1.4)


@pytest.fixture(scope="module")
def plain(models: Models, phantom: Phantom) -> Analysis:
    """The analysis of the phantom as it is."""
    return analyse(as_volume(phantom), (), models)


def test_a_lesion_is_found_scored_and_explained(models: Models, phantom: Phantom) -> None:
    volume, stages = as_volume(phantom), list[str]()
    analysis = analyse(volume, (), models, on_stage=stages.append)
    assert stages == ["segment", "select", "classify"]
    assert analysis.slice_policy is SlicePolicy.AUTOMATIC
    assert analysis.target is not None
    assert analysis.probability == pytest.approx(np.mean([s.probability for s in analysis.slices]))
    assert analysis.probability is not None
    assert analysis.label is (Label.PIMA if analysis.probability >= analysis.threshold else Label.IPN)
    numbers = [s.instance_number for s in analysis.slices]
    assert numbers == sorted(numbers, key=lambda n: n or 0)
    hottest = max(float(s.heat.max()) for s in analysis.slices if s.heat is not None)
    assert 0.9 < hottest <= 1.0
    for scored in analysis.slices:
        index = volume.sop_instance_uids.index(scored.sop_instance_uid)
        assert np.array_equal(scored.hu, volume.hu[index])
        assert scored.position_mm == volume.positions_mm[index]
        assert scored.lesion.any()
        assert scored.heat is not None
        assert scored.heat.shape == scored.lesion.shape == scored.lungs.shape == scored.hu.shape


def test_without_a_target_nothing_is_scored(models: Models) -> None:
    blind = replace(models, select=(nothing,))
    analysis = analyse(as_volume(small_chest()), (), blind)
    assert analysis.slice_policy is SlicePolicy.NONE
    assert (analysis.label, analysis.probability, analysis.target) == (None, None, None)
    assert analysis.slices == ()
    assert analysis.lung_volume_ml > 2500


def test_too_little_lung_is_refused_with_the_numbers(models: Models) -> None:
    with pytest.raises(NoLungs, match=r"\d+ ml of lung, need 20000 ml"):
        analyse(as_volume(small_chest()), (), replace(models, rules=Rules(minimum_lung_ml=20_000.0)))


def test_the_same_volume_gives_the_same_analysis(models: Models, phantom: Phantom, plain: Analysis) -> None:
    first, second = plain, analyse(as_volume(phantom), (), models)
    assert first.probability == second.probability
    assert first.target == second.target
    assert all(
        np.array_equal(a.heat, b.heat)
        for a, b in zip(first.slices, second.slices, strict=True)
        if a.heat is not None and b.heat is not None
    )


def test_a_slab_refers_to_all_its_slices(models: Models) -> None:
    thin = chest(seed=10, lesion=LesionKind.IPN_LIKE, pixels=128, pixel_mm=2.8, slice_mm=1.25)
    analysis = analyse(as_volume(thin), (), models)
    assert analysis.slices
    assert {len(s.source_uids) for s in analysis.slices} == {4}
    assert all(s.sop_instance_uid in s.source_uids for s in analysis.slices)


def test_a_lesion_thinner_than_half_a_slab_is_still_shown() -> None:
    volume = replace(as_volume(small_chest()), spacing_mm=(1.25, 2.8, 2.8))
    extent = np.ones((1, 3, 3), dtype=np.bool_)
    lesion = Region(Target((0.0, 0.0, 0.0), 5.0), (9,), (9, 10, 10), extent)
    shown = showing(lesion, slabs(volume, 5.0), at_least=0.5)
    assert [slab.slices for slab in shown] == [(8, 9, 10, 11)]


def test_a_slab_that_holds_a_marked_slice_is_scored() -> None:
    volume = replace(as_volume(small_chest()), spacing_mm=(1.25, 2.8, 2.8))
    marked = Region(Target(None, None), (3, 8), (3, 0, 0), np.zeros((6, 1, 1), dtype=np.bool_))
    shown = showing(marked, slabs(volume, 5.0), at_least=0.0)
    assert [slab.slices for slab in shown] == [(0, 1, 2, 3), (8, 9, 10, 11)]


@pytest.fixture(scope="module")
def coarser(models: Models) -> Classifier:
    """A candidate that sees other slabs and other pixels than the model beside it."""
    card = models.classify.bundle.card
    numbers = card.preprocessing.model_copy(update={"slice_thickness_mm": 10.0, "pixel_mm": 1.8})
    other = card.model_copy(update={"preprocessing": numbers, "version": "next", "threshold": 0.3})
    bundle = models.classify.bundle.model_copy(update={"card": other, "digest": "e" * 64})
    return Classifier(bundle, backend=Backend.EAGER)


class Broken(Classifier):
    def __call__(self, images: NDArray[np.float32]) -> Scores:
        raise RuntimeError(f"{len(images)} slices of Roe^Jane")


def test_a_candidate_scores_the_same_target_as_it_would_alone(
    models: Models, phantom: Phantom, plain: Analysis, coarser: Classifier
) -> None:
    stages = list[str]()
    both = analyse(as_volume(phantom), (), replace(models, candidate=coarser), on_stage=stages.append)
    alone = analyse(as_volume(phantom), (), replace(models, classify=coarser))
    assert stages[-1] == "candidate"
    assert both.candidate is not None
    assert both.candidate.probability == alone.probability != both.probability == plain.probability
    assert (both.candidate.classifier.digest, both.candidate.threshold) == ("e" * 64, 0.3)
    assert both.classifier == plain.classifier


def test_a_candidate_that_fails_costs_nothing_and_quotes_nothing(
    models: Models, phantom: Phantom, plain: Analysis
) -> None:
    broken = Broken(models.classify.bundle, backend=Backend.EAGER)
    found = analyse(as_volume(phantom), (), replace(models, candidate=broken))
    assert found.probability == plain.probability
    assert found.candidate is not None
    assert (found.candidate.probability, found.candidate.failure) == (None, "RuntimeError")


def test_what_the_model_does_not_score_the_candidate_does_not_either(
    models: Models, phantom: Phantom, coarser: Classifier
) -> None:
    found = analyse(as_volume(phantom), (), replace(models, select=(nothing,), candidate=coarser))
    assert found.candidate is None


def test_consistency_stands_beside_the_probability(plain: Analysis) -> None:
    assert plain.consistency is not None
    assert plain.consistency.spread == pytest.approx(np.std([s.probability or 0.0 for s in plain.slices]))
    assert 0.0 < plain.consistency.flip < 1.0


def test_a_calibration_moves_the_patients_probability_and_is_stated(
    models: Models, phantom: Phantom, plain: Analysis
) -> None:
    volume = as_volume(phantom)
    calibration = Calibration(slope=0.5, intercept=1.0, patients=120, data="one site")
    card = models.classify.bundle.card.model_copy(update={"calibration": calibration})
    bundle = models.classify.bundle.model_copy(update={"card": card})
    calibrated = analyse(volume, (), replace(models, classify=Classifier(bundle, backend=Backend.EAGER)))
    assert plain.probability is not None
    assert plain.calibration == ""
    assert calibrated.probability == pytest.approx(calibration.calibrated(plain.probability))
    assert "120 patients" in calibrated.calibration
    assert [s.probability for s in calibrated.slices] == [s.probability for s in plain.slices]


def test_a_finding_to_abstain_for_leaves_no_number_and_no_heat(models: Models, phantom: Phantom) -> None:
    finding = InputQuality(QualityCode.GANTRY_TILT, "The gantry is tilted by 12.0 degrees.")
    volume = replace(as_volume(phantom), findings=(finding,))
    strict = replace(models, rules=Rules(abstain_for=frozenset({QualityCode.GANTRY_TILT})))
    analysis = analyse(volume, (), strict)
    assert analysis.abstained_for == (finding,)
    assert (analysis.label, analysis.probability, analysis.consistency) == (None, None, None)
    assert analysis.target is not None
    assert analysis.slices
    assert all(s.probability is None and s.heat is None for s in analysis.slices)
    stated = analyse(volume, (), models)
    assert finding in stated.input_quality
    assert stated.probability is not None
