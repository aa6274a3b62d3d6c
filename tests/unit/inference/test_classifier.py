import numpy as np
import pytest

from inference.bundle import demonstration, load_bundle
from inference.classifier import Classifier


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).random((5, 256, 256), dtype=np.float32)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_scores_do_not_depend_on_the_batch_size(images: np.ndarray, batch_size: int) -> None:
    bundle = load_bundle(demonstration())
    whole = Classifier(bundle, batch_size=64)(images)
    parts = Classifier(bundle, batch_size=batch_size)(images)
    assert parts.probabilities == pytest.approx(whole.probabilities, abs=1e-5)
    assert np.allclose(parts.evidence, whole.evidence, atol=1e-5)


def test_each_image_has_a_probability_and_its_evidence(images: np.ndarray) -> None:
    scores = Classifier(load_bundle(demonstration()))(images)
    assert scores.probabilities.shape == (5,)
    assert ((scores.probabilities >= 0) & (scores.probabilities <= 1)).all()
    assert scores.evidence.shape == images.shape
