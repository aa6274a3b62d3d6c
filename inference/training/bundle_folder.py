"""The two files of a bundle."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from inference.bundle import CARD, WEIGHTS, Card


def put_bundle(folder: Path, weights: bytes, card: Card) -> None:
    (folder / WEIGHTS).write_bytes(weights)
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def as_safetensors(weights: Mapping[str, Tensor]) -> bytes:
    return save({name: value.contiguous() for name, value in weights.items()})
