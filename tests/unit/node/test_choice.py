"""One series of a study, and why not the others."""

import random

from config.settings import Eligibility
from node.choice import decide
from tests.headers import series

RULES = Eligibility()


def test_the_sharp_kernel_is_chosen_and_the_soft_one_explained() -> None:
    decision = decide(
        series("1.1", kernel="B40f") + series("1.2", kernel="B70f"), RULES, model_thickness_mm=5.0
    )
    assert decision.series_instance_uid == "1.2"
    (other,) = [f.detail for f in decision.findings if f.event == "series not chosen"]
    assert "1.1" in other
    assert "soft kernel B40f" in other
    assert "sharp kernel B70f" in other


def test_of_two_sharp_series_the_one_nearest_the_models_thickness_is_chosen() -> None:
    thin = series("1.1", slices=300, spacing_mm=1.0, slice_thickness_mm=1.0)
    decision = decide(thin + series("1.2"), RULES, model_thickness_mm=5.0)
    assert decision.series_instance_uid == "1.2"


def test_of_two_alike_the_more_complete_is_chosen() -> None:
    decision = decide(series("1.1", slices=40) + series("1.2", slices=60), RULES, model_thickness_mm=5.0)
    assert decision.series_instance_uid == "1.2"


def test_the_order_of_arrival_does_not_matter() -> None:
    images = series("1.1") + series("1.2") + series("1.3", kernel="B40f")
    expected = decide(images, RULES, model_thickness_mm=5.0).series_instance_uid
    for seed in range(5):
        shuffled = random.Random(seed).sample(images, len(images))
        assert decide(shuffled, RULES, model_thickness_mm=5.0).series_instance_uid == expected


def test_a_scout_in_the_series_is_dropped_and_the_rest_analysed() -> None:
    scout = series("1.1", slices=1, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    decision = decide(scout + series("1.1")[1:], RULES, model_thickness_mm=5.0)
    assert len(decision.slices) == 59
    (dropped,) = [f.detail for f in decision.findings if f.event == "image dropped"]
    assert "LOCALIZER" in dropped


def test_a_study_without_a_usable_series_is_rejected_with_each_reason() -> None:
    scout = series("1.1", slices=1, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
    decision = decide(scout + series("1.2", slices=3), RULES, model_thickness_mm=5.0)
    assert decision.series_instance_uid is None
    assert "LOCALIZER" in decision.reason
    assert "3 slices, at least 12" in decision.reason


def test_two_patients_in_one_study_give_no_result() -> None:
    decision = decide(series("1.1") + series("1.2", patient_key="b"), RULES, model_thickness_mm=5.0)
    assert decision.slices == ()
    assert "2 patients" in decision.reason


def test_a_study_of_no_readable_image_is_rejected_with_a_reason() -> None:
    assert decide([], RULES, model_thickness_mm=5.0).reason


def test_one_odd_slice_that_comes_first_decides_nothing() -> None:
    odd = series("1.1", slices=1, body_part="ABDOMEN", kernel="B40f", slice_thickness_mm=None)
    rest = series("1.1")[1:]
    for images in (odd + rest, rest + odd):
        assert decide(images, RULES, model_thickness_mm=5.0).series_instance_uid == "1.1"


def test_an_unknown_thickness_is_measured_and_not_taken_for_the_best() -> None:
    silent = series("1.1", slices=300, spacing_mm=1.0, slice_thickness_mm=None)
    decision = decide(silent + series("1.2"), RULES, model_thickness_mm=5.0)
    assert decision.series_instance_uid == "1.2"


def test_a_head_series_does_not_win_by_what_the_study_is_called() -> None:
    study_words = "Polytrauma Kopf HWS Thorax"
    head = series("1.1", body_part="HEAD", series_words="", kernel="H70h", study_words=study_words)
    chest = series("1.2", kernel="Br40f", study_words=study_words)
    assert decide(head + chest, RULES, model_thickness_mm=5.0).series_instance_uid == "1.2"


def test_the_series_that_a_radiologist_marked_wins_if_it_can_be_analysed() -> None:
    images = series("1.1", kernel="B70f") + series("1.2", kernel="B40f") + series("1.3", slices=3)
    assert decide(images, RULES, model_thickness_mm=5.0).series_instance_uid == "1.1"
    for marked in ({"1.2"}, {"1.2", "1.3"}):
        assert decide(images, RULES, model_thickness_mm=5.0, marked=marked).series_instance_uid == "1.2"
    assert decide(images, RULES, model_thickness_mm=5.0, marked={"1.3"}).series_instance_uid == "1.1"
