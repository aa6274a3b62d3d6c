"""Trainings of a tiny network that end in seconds."""

from pathlib import Path
from typing import Any

from inference.training.recipe import Recipe

TINY = {"layers": (1, 1, 1, 1), "width": 4, "channels": 1, "attention": "se_das"}


def tiny_recipe(folder: Path, **changes: Any) -> Recipe:
    """Of the dataset in `folder/data`, to `folder/out`, from random weights on one thread."""
    values: dict[str, Any] = {
        "dataset": folder / "data",
        "out": folder / "out",
        "initial": "random",
        "seed": 3,
        "architecture": TINY,
        "optimiser": {"epochs": 4, "batch_size": 6, "rate": 1e-2, "head_rate": 1e-2},
        "hardware": {"threads": 1},
    }
    return Recipe.model_validate(values | changes)
