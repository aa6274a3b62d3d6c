"""The eight configurations of Table 2, trained small, and what is made of them."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open
from typer.testing import CliRunner

from inference.bundle import load_bundle
from inference.evaluation.published import TABLE_2
from inference.training.ablation import CONFIGURATIONS, ablate, recipe_for
from inference.training.ablation_report import write_ablation
from inference.training.recipe import BadRecipe, Recipe
from inference.training.watch import Watch
from node.__main__ import cli
from tests.datasets import write_dataset
from tests.trainings import tiny_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("ablation")
    write_dataset(folder / "dataset")
    return Recipe.model_validate(
        {
            "dataset": folder / "dataset",
            "out": folder / "out",
            "initial": "random",
            "architecture": {"layers": (1, 1, 1, 1), "width": 4},
            "optimiser": {"epochs": 1, "batch_size": 8},
        }
    )


@pytest.fixture(scope="module")
def report(recipe: Recipe) -> Path:
    models = ablate(recipe, lambda _: Watch())
    assert {len(patients) for patients in models.values()} == {4}
    return write_ablation(models, recipe)


def test_the_configurations_are_those_of_the_published_table() -> None:
    assert [each.name for each in CONFIGURATIONS] == [published.name for published in TABLE_2]


def test_each_configuration_changes_what_it_is_named_for(recipe: Recipe) -> None:
    recipes = {each.name: recipe_for(each, recipe) for each in CONFIGURATIONS}
    assert recipes["+ segmentation"].input.outside_lungs == "zero"
    assert recipes["+ augmentation"].input.outside_lungs == "keep"
    assert recipes["+ augmentation"].augmentation == recipe.augmentation
    assert not recipes["+ segmentation"].augmentation.flip
    assert recipes["+ segmentation"].augmentation.degrees == 0
    assert recipes["+ both + CBAM"].architecture.attention == "cbam"
    assert {each.optimiser for each in recipes.values()} == {recipe.optimiser}
    assert len({each.out for each in recipes.values()}) == len(CONFIGURATIONS)


def test_the_report_has_every_model_beside_the_published_row(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert all(f"published: {published.name}" in page for published in TABLE_2)
    assert "0.990 (0.978 to 1.000)" in page
    rivals = json.loads((report / "report.json").read_text())["results"]["rivals"]
    assert [rival["name"] for rival in rivals] == [each.name for each in CONFIGURATIONS[:-1]]


def test_each_bundle_holds_the_attention_of_its_configuration(report: Path, recipe: Recipe) -> None:
    assert report.is_dir()
    for each in CONFIGURATIONS:
        bundle = load_bundle(recipe_for(each, recipe).out / "bundle")
        assert bundle.card.architecture.attention == each.attention
        assert bundle.preprocessing.outside_lungs == ("zero" if each.segmentation else "keep")
        with safe_open(bundle.weights, "pt") as weights:
            assert any(".attention." in name for name in weights.keys()) == (each.attention != "none")  # noqa: SIM118


def test_a_second_run_trains_nothing(report: Path, recipe: Recipe) -> None:
    assert report.is_dir()
    epochs: list[str] = []
    ablate(recipe, lambda each: Watch(on_epoch=lambda _: epochs.append(each.name)))
    assert epochs == []


def test_evaluate_compares_bundles_on_the_test_part(report: Path, recipe: Recipe, tmp_path: Path) -> None:
    assert report.is_dir()
    one, other = (str(recipe_for(each, recipe).out / "bundle") for each in CONFIGURATIONS[-2:])
    done = CliRunner().invoke(
        cli, ["evaluate", one, str(recipe.dataset), "--out", str(tmp_path), "--against", other]
    )
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["results"]["patients"] == {"positive": 2, "negative": 2}
    assert len(found["results"]["rivals"]) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"hardware": {"devices": 2}, "optimiser": {"batch_size": 4}},
            "hardware.devices is 2: an ablation trains on one",
        ),
        ({"augmentation": {"flip": False, "degrees": 0.0}}, "augmentation does nothing"),
    ],
)
def test_what_makes_no_ablation_is_refused_before_anything_is_trained(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(BadRecipe, match=said):
        ablate(tiny_recipe(tmp_path, **changes), lambda _each: Watch())
    assert list(tmp_path.iterdir()) == []
