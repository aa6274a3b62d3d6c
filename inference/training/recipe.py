"""Every number of a training, with its bounds beside it; frozen, and refused as a whole when one is wrong.

Imports no torch: a recipe is read and checked before anything heavy is loaded.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from inference.bundle import Architecture
from inference.training.tables import read_table

Text = Annotated[str, Field(min_length=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class BadRecipe(ValueError):
    """A recipe that cannot be read, or whose values are out of bounds."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Part):
    """What the bundle says of itself; the rest of its card follows from the training."""

    name: Text = "sedas"
    version: Text = "1"
    manufacturer: Text = "not stated"
    intended_use: Text = "Research. Not for diagnosis."
    limits: tuple[Text, ...] = ()  # further ones of this site
    licence: Text = "not stated"


class Input(_Part):
    outside_lungs: Literal["zero", "keep"] = "zero"


class Augmentation(_Part):
    """Of training slices only (paper, section Preprocessing)."""

    flip: bool = True  # left and right, each slice with even odds
    degrees: Annotated[float, Field(ge=0, le=45)] = 10.0  # turned by at most


class Optimiser(_Part):
    """The rates are reached after `warm_up_epochs` and then follow the schedule."""

    kind: Literal["adamw", "sgd"] = "adamw"
    rate: Rate = 1e-4
    head_rate: Rate = 1e-3  # of what ImageNet does not begin: the head and the attention modules
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # of sgd
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 1e-2
    schedule: Literal["cosine", "constant"] = "cosine"
    warm_up_epochs: Annotated[float, Field(ge=0)] = 1.0
    batch_size: Annotated[int, Field(ge=2)] = 16  # slices, of all devices together; batch norm needs two
    epochs: Count = 50
    patience: Count = 10  # epochs without a better selection AUC


class Hardware(_Part):
    device: Literal["cpu", "cuda"] = "cpu"
    devices: Count = 1
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"  # as lightning-fabric names it
    workers: Annotated[int, Field(ge=0, le=64)] = 0  # processes that read slices; 0: the training's own does
    threads: Count | None = None  # None: as many as torch takes; other sums, other last digits


class Decision(_Part):
    """What is fitted, is fitted to the selection part; in a split of `paper` mode nothing is, and youden means 0.5."""

    calibrate: bool = True
    threshold: Annotated[float, Field(ge=0, le=1)] | Literal["youden"] = 0.5


class Recipe(_Part):
    dataset: Path
    out: Path
    split: Text | None = None  # of the dataset; not needed where it has one only
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    initial: Annotated[Literal["imagenet", "random"] | Path, Field(union_mode="left_to_right")] = "imagenet"
    bundle: Words = Words()
    architecture: Architecture = Architecture()
    input: Input = Input()
    augmentation: Augmentation = Augmentation()
    optimiser: Optimiser = Optimiser()
    hardware: Hardware = Hardware()
    decision: Decision = Decision()

    @model_validator(mode="after")
    def _the_device_has_the_precision(self) -> "Recipe":
        if (self.hardware.device, self.hardware.precision) == ("cpu", "16-mixed"):
            raise ValueError("hardware.precision 16-mixed needs cuda; bf16-mixed runs on both")
        return self

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> "Recipe":
        if self.optimiser.warm_up_epochs > self.optimiser.epochs - 1 > 0:
            raise ValueError(
                f"optimiser.warm_up_epochs is {self.optimiser.warm_up_epochs:g} of {self.optimiser.epochs} epochs,"
                " one at least must follow"
            )
        return self

    @model_validator(mode="after")
    def _each_device_has_two_slices(self) -> "Recipe":
        if self.optimiser.batch_size < 2 * self.hardware.devices:
            raise ValueError(
                f"optimiser.batch_size is {self.optimiser.batch_size} for {self.hardware.devices} devices,"
                " each needs 2 slices"
            )
        return self


def read_recipe(path: Path) -> Recipe:
    """From TOML; its paths are relative to the folder it lies in."""
    recipe = read_table(path, Recipe, BadRecipe)
    places: dict[str, Any] = {"dataset": path.parent / recipe.dataset, "out": path.parent / recipe.out}
    if isinstance(recipe.initial, Path):
        places["initial"] = (path.parent / recipe.initial).resolve()  # the same from wherever it is named
    return recipe.model_copy(update=places)
