"""The eight configurations of the paper's Table 2 on one dataset: one recipe, but for what each of them tries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from inference.evaluation.subject import Subject, from_json
from inference.training.finish import PREDICTIONS
from inference.training.recipe import Augmentation, BadRecipe, Input, Recipe
from inference.training.train import train
from inference.training.watch import Watch


@dataclass(frozen=True)
class Configuration:
    name: str  # as Table 2 has it
    folder: str  # below the ablation's
    attention: Literal["none", "se", "das", "cbam", "se_das"] = "none"
    segmentation: bool = True  # the lungs alone, or all of the slice
    augmentation: bool = True  # the recipe's, or none


CONFIGURATIONS = (
    Configuration("ResNet50", "resnet50", segmentation=False, augmentation=False),
    Configuration("+ segmentation", "segmentation", augmentation=False),
    Configuration("+ augmentation", "augmentation", segmentation=False),
    Configuration("+ both", "both"),
    Configuration("+ both + SE", "se", "se"),
    Configuration("+ both + DAS", "das", "das"),
    Configuration("+ both + CBAM", "cbam", "cbam"),
    Configuration("SE-DAS ResNet", "se-das", "se_das"),
)


_NO_AUGMENTATION = Augmentation(flip=False, degrees=0.0)


def ablate(recipe: Recipe, watch: Callable[[Configuration], Watch]) -> dict[str, tuple[Subject, ...]]:
    """Trains what is not trained yet; by configuration the patients of the test part, as it scores them.

    Raises BadRecipe for one by which the rows could not differ, or that asks for several devices.
    """
    if recipe.hardware.devices > 1:
        raise BadRecipe(f"hardware.devices is {recipe.hardware.devices}: an ablation trains on one")
    if recipe.augmentation == _NO_AUGMENTATION:
        raise BadRecipe("augmentation does nothing: the rows with it would be those without it")
    return {each.name: _trained(recipe_for(each, recipe), watch(each)) for each in CONFIGURATIONS}


def recipe_for(configuration: Configuration, recipe: Recipe) -> Recipe:
    return recipe.model_copy(
        update={
            "out": recipe.out / configuration.folder,
            "architecture": recipe.architecture.model_copy(update={"attention": configuration.attention}),
            "input": Input(outside_lungs="zero" if configuration.segmentation else "keep"),
            "augmentation": recipe.augmentation if configuration.augmentation else _NO_AUGMENTATION,
            "bundle": recipe.bundle.model_copy(
                update={"name": f"{recipe.bundle.name}-{configuration.folder}"}
            ),
        }
    )


def _trained(recipe: Recipe, watch: Watch) -> tuple[Subject, ...]:
    train(recipe, watch)
    return from_json((recipe.out / PREDICTIONS).read_bytes())
