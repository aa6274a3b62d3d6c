import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from inference.bundle import CARD, WEIGHTS, BadBundle, Bundle, demonstration, load_bundle
from inference.classifier import (
    Backend,
    BadBackend,
    Classifier,
    Disagrees,
    NotTheModelsSize,
    Precision,
    _refuse_disagreement,
)
from inference.findings import NotFinite
from inference.network import trained


@pytest.fixture(scope="module")
def images() -> NDArray[np.float32]:
    return np.random.default_rng(1).random((5, 256, 256), dtype=np.float32) * np.linspace(
        0.2, 1, 5, dtype=np.float32
    ).reshape(5, 1, 1)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(demonstration())


@pytest.fixture(scope="module", params=Backend)
def classify(bundle: Bundle, request: pytest.FixtureRequest) -> Classifier:
    return Classifier(bundle, batch_size=2, backend=request.param)


def with_weights(folder: Path, name: str, value: float) -> Bundle:
    """The demonstration with one weight exchanged."""
    mine = Path(shutil.copytree(demonstration(), folder / "mine"))
    weights = load_file(mine / WEIGHTS)
    weights[name][:1] = value
    save_file(weights, mine / WEIGHTS)
    card = json.loads((mine / CARD).read_text())
    card["weights_sha256"] = hashlib.sha256((mine / WEIGHTS).read_bytes()).hexdigest()
    (mine / CARD).write_text(json.dumps(card))
    return load_bundle(mine)


def test_each_backend_scores_as_the_eager_network_in_fp32(
    classify: Classifier, bundle: Bundle, images: NDArray[np.float32]
) -> None:
    with torch.inference_mode():
        expected = torch.sigmoid(trained(bundle)(torch.from_numpy(images)[:, None])).numpy()
    assert np.abs(classify(images).probabilities - expected).max() <= 1e-4
    assert expected.std() > 0.01


def test_each_backend_gives_the_same_evidence(bundle: Bundle, images: NDArray[np.float32]) -> None:
    eager, compiled = (Classifier(bundle, backend=backend)(images).evidence for backend in Backend)
    assert np.abs(eager - compiled).max() <= 1e-4 * np.abs(eager).max()


def test_scores_do_not_depend_on_what_is_batched_with_an_image(
    classify: Classifier, images: NDArray[np.float32]
) -> None:
    whole = classify(images)
    for k, image in enumerate(images):
        alone = classify(image[None])
        assert alone.probabilities[0] == pytest.approx(whole.probabilities[k], abs=1e-5)
        assert np.allclose(alone.evidence[0], whole.evidence[k], atol=1e-5)


def test_mirrored_images_may_be_scored_with_the_others(
    classify: Classifier, images: NDArray[np.float32]
) -> None:
    mirrored = images[:, :, ::-1]  # a view with a negative stride
    both = classify(np.concatenate([images, mirrored]))
    assert np.allclose(both.probabilities[5:], classify(mirrored).probabilities, atol=1e-5)


def test_each_image_has_a_probability_and_its_evidence(
    classify: Classifier, images: NDArray[np.float32]
) -> None:
    scores = classify(images)
    assert scores.probabilities.shape == (5,)
    assert ((scores.probabilities >= 0) & (scores.probabilities <= 1)).all()
    assert scores.evidence.shape == images.shape
    assert scores.probabilities.dtype == scores.evidence.dtype == np.float32


def test_images_of_another_size_are_refused(classify: Classifier) -> None:
    with pytest.raises(NotTheModelsSize, match=r"images of \(512, 512\), the model takes \(256, 256\)"):
        classify(np.zeros((1, 512, 512), dtype=np.float32))


@pytest.mark.parametrize("backend", Backend)
def test_a_network_that_overflows_gives_no_score(
    backend: Backend, tmp_path: Path, images: NDArray[np.float32]
) -> None:
    classify = Classifier(with_weights(tmp_path, "fc.weight", 3e38), backend=backend)
    with pytest.raises(NotFinite, match="5 of 5 slices get from the network numbers that are not finite"):
        classify(images)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(value: float, tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match=r"not finite in \['conv1\.weight'\]"):
        Classifier(with_weights(tmp_path, "conv1.weight", value))


def test_nan_in_one_image_is_counted_as_one(classify: Classifier, images: NDArray[np.float32]) -> None:
    spoilt = images.copy()
    spoilt[2, 100, 100] = np.nan
    with pytest.raises(NotFinite, match="1 of 5 images hold numbers that are not finite"):
        classify(spoilt)


def test_a_backend_that_scores_otherwise_is_refused() -> None:
    _refuse_disagreement(torch.tensor([0.5]), torch.tensor([0.50009]))
    for given in (0.5002, torch.nan):
        with pytest.raises(Disagrees, match="the eager network"):
            _refuse_disagreement(torch.tensor([0.5]), torch.tensor([given]))


@pytest.mark.parametrize(
    ("device", "precision"), [("cuda:0", Precision.FP32), ("cpu", Precision.BF16), ("cpu", Precision.FP16)]
)
def test_openvino_is_refused_where_it_would_not_compute_in_fp32(
    bundle: Bundle, device: str, precision: Precision
) -> None:
    with pytest.raises(BadBackend, match=f"not on {device} in {precision}"):
        Classifier(bundle, device=device, backend=Backend.OPENVINO, precision=precision)


def test_a_lower_precision_is_a_choice_that_moves_the_scores(
    bundle: Bundle, images: NDArray[np.float32]
) -> None:
    lower = Classifier(bundle, backend=Backend.EAGER, precision=Precision.BF16)(images)
    full = Classifier(bundle, backend=Backend.EAGER)(images)
    assert 0 < np.abs(lower.probabilities - full.probabilities).max() < 0.05
    assert lower.probabilities.dtype == np.float32
