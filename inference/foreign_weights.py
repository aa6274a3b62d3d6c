"""Weights that somebody else has saved, read without running anything from the file. The service needs none of this."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_NESTS = ("state_dict", "model_state_dict", "model")  # under which a checkpoint keeps its weights
_WRAPPERS = ("module.", "_orig_mod.")  # before the names of a parallel and of a compiled network

# What torch.load raises on a file that holds code, is damaged or no checkpoint at all.
UNREADABLE = (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError,
               AttributeError, TypeError, IndexError)  # fmt: skip


class BadWeights(ValueError):
    """A file of weights that cannot be read safely or does not fit the network."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Of a `.safetensors` file or a checkpoint of torch, nested or not, without the prefixes of wrappers."""
    content = _read(path)
    while isinstance(content, Mapping) and (nest := _nest(content)):
        content = content[nest]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise BadWeights(f"{path.name}: holds {type(content).__name__}, not a state dict of tensors")
    weights = {str(name): value for name, value in content.items()}
    while wrapper := _wrapper(weights):
        weights = {name.removeprefix(wrapper): value for name, value in weights.items()}
    return weights


def _read(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise BadWeights(
            f"{path.name}: no weights that can be read safely: {type(error).__name__}"
        ) from error
    return content


def _nest(content: Mapping[object, object]) -> str | None:
    return next((name for name in _NESTS if isinstance(content.get(name), Mapping)), None)


def _wrapper(weights: Mapping[str, Tensor]) -> str | None:
    return next((w for w in _WRAPPERS if weights and all(name.startswith(w) for name in weights)), None)
