"""A checkpoint that was trained elsewhere as a bundle: its names mapped, its shapes checked, one slice scored.

Nothing in the file is run, and what does not fit is refused by name.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torch import Tensor

from inference.bundle import Architecture, BadBundle, Bundle, Card, load_bundle
from inference.classifier import Classifier
from inference.foreign_weights import BadWeights, read_weights
from inference.network import build, misfit
from inference.training.bundle_folder import as_safetensors, put_bundle
from inference.training.durable import write_folder
from inference.training.key_map import KeyMap
from inference.training.tables import read_table

_COUNTER = "num_batches_tracked"  # of a batch norm: of no use to a trained network, and often left out
_HEAD = ("fc.weight", "fc.bias")


def read_card(path: Path) -> Card:
    """All but the digest of the weights, for which zeros stand."""
    return read_table(path, Card, BadBundle, {"weights_sha256": "0" * 64})


def import_bundle(
    checkpoint: Path, out: Path, card: Card, key_map: KeyMap, *, two_logits: bool = False
) -> Bundle:
    """`card` as `read_card` gives it. With `two_logits` the head's second class is PIMA."""
    if out.exists():
        raise BadBundle(f"{out}: is there already")
    given = key_map.mapped(read_weights(checkpoint))
    if two_logits:
        given |= one_logit(given)
    weights = as_safetensors(fitted(given, card.architecture, checkpoint.name))
    card = card.model_copy(update={"weights_sha256": hashlib.sha256(weights).hexdigest()})
    with TemporaryDirectory() as draft:
        put_bundle(Path(draft), weights, card)
        _try(Classifier(load_bundle(Path(draft))), checkpoint.name)
    write_folder(out, lambda folder: put_bundle(folder, weights, card))
    return load_bundle(out)


def one_logit(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Softmax over two logits is the logistic function of their difference, second less first."""
    found = {name: weights[name] for name in _HEAD if name in weights}
    if len(found) < len(_HEAD) or any(len(value) != 2 for value in found.values()):
        shapes = {name: tuple(value.shape) for name, value in found.items()}
        raise BadWeights(f"two logits are expected of {', '.join(_HEAD)}, found {shapes}")
    return {name: value[1:] - value[:1] for name, value in found.items()}


def fitted(weights: Mapping[str, Tensor], architecture: Architecture, source: str) -> dict[str, Tensor]:
    """In the shapes and the precision of the network; a 1 x 1 convolution and a linear layer are the same."""
    expected = build(architecture).state_dict()
    counters = {name: value for name, value in expected.items() if name.endswith(_COUNTER)}
    given = counters | {
        name: _reshaped(value, expected[name]) if name in expected else value
        for name, value in weights.items()
    }
    if problem := misfit(expected, given):
        raise BadWeights(f"{source}: {problem}")
    if spoilt := sorted(name for name, value in given.items() if not value.isfinite().all()):
        raise BadWeights(f"{source}: weights that are not finite in {spoilt}")
    return {name: value.to(expected[name].dtype) for name, value in given.items()}


def _reshaped(value: Tensor, expected: Tensor) -> Tensor:
    same = _without_ones(value) == _without_ones(expected)
    return value.reshape(expected.shape) if same else value


def _without_ones(value: Tensor) -> tuple[int, ...]:
    """The shape without 1s at its end, from the third axis on."""
    shape = tuple(value.shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _try(classify: Classifier, source: str) -> None:
    """One slice, grey from black to white."""
    size = classify.bundle.preprocessing.size
    slope = np.linspace(0.0, 1.0, size * size, dtype=np.float32).reshape(1, size, size)
    try:
        classify(slope)
    except ArithmeticError as error:  # not finite, or another score than the eager network's
        raise BadWeights(f"{source}: one slice was tried: {error}") from error
