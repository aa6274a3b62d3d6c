"""What an ablation came to, beside what the paper published."""

from collections.abc import Mapping
from pathlib import Path

from inference.bundle import load_bundle
from inference.dataset.folder import open_dataset
from inference.dataset.table import Part
from inference.evaluation.comparison import comparison_table
from inference.evaluation.published import TABLE_2
from inference.evaluation.report import write_report
from inference.evaluation.section import Section
from inference.evaluation.subject import Subject
from inference.training.ablation import CONFIGURATIONS, recipe_for
from inference.training.card import begun
from inference.training.finish import BUNDLE
from inference.training.recipe import Recipe
from inference.training.report_source import source_of

REFERENCE = CONFIGURATIONS[-1]  # the paper's own network


def _recipe(recipe: Recipe) -> Section:
    turned, steps = recipe.augmentation, recipe.optimiser
    flip = "slices are mirrored with even odds" if turned.flip else "slices are not mirrored"
    angle = f"turned by up to {turned.degrees:g} degrees" if turned.degrees else "not turned"
    said = (
        f"Width {recipe.architecture.width}, begun with {begun(recipe)}; {steps.epochs} epochs of batches of"
        f" {steps.batch_size}, seed {recipe.seed}, trained once each. With augmentation {flip} and {angle}; the"
        " published rows are of mirroring alone."
    )
    return Section("The recipe of all configurations", (said,))


def write_ablation(models: Mapping[str, tuple[Subject, ...]], recipe: Recipe) -> Path:
    """The report of the paper's network, the others beside it; the folder it is in."""
    dataset = open_dataset(recipe.dataset)
    bundles = {each.name: load_bundle(recipe_for(each, recipe).out / BUNDLE) for each in CONFIGURATIONS}
    table = comparison_table(
        models,
        {published.name: published for published in TABLE_2},
        reference=REFERENCE.name,
        thresholds={name: bundle.card.threshold for name, bundle in bundles.items()},
        seed=recipe.seed,
    )
    source = source_of(
        bundles[REFERENCE.name],
        dataset,
        dataset.split(recipe.split),
        Part.TEST,
        models[REFERENCE.name],
        title="Ablation: the eight configurations of Table 2",
        rivals={
            name: (bundles[name], patients) for name, patients in models.items() if name != REFERENCE.name
        },
        further=(_recipe(recipe), *table),
    )
    write_report(source, recipe.out / "report")
    return recipe.out / "report"
