import re
import subprocess
import sys
from pathlib import Path

import pytest

from inference.training.recipe import BadRecipe, Recipe, read_recipe

LEAST = 'dataset = "data"\nout = "trained"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_a_recipe_needs_a_dataset_and_a_place_and_its_paths_lie_beside_it(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, LEAST))
    assert (recipe.dataset, recipe.out) == (tmp_path / "data", tmp_path / "trained")
    assert recipe.initial == "imagenet"
    assert (recipe.augmentation.flip, recipe.augmentation.degrees) == (True, 10.0)
    assert recipe.input.outside_lungs == "zero"


@pytest.mark.parametrize(("given", "read"), [("random", "random"), ("weights/resnet.pth", Path)])
def test_initial_weights_are_a_word_or_a_file(tmp_path: Path, given: str, read: object) -> None:
    initial = read_recipe(written(tmp_path, f'{LEAST}initial = "{given}"\n')).initial
    assert initial == (tmp_path / given if read is Path else read)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[hardware]\nprecision = "16-mixed"\n', "16-mixed needs cuda"),
        ("[optimiser]\nepochs = 3\nwarm_up_epochs = 3\n", "warm_up_epochs is 3 of 3 epochs"),
    ],
)
def test_what_would_train_otherwise_than_it_says_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadRecipe, match=said):
        read_recipe(written(tmp_path, LEAST + text))


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = f"""{LEAST}
        [optimiser]
        rate = -1
        epoch = 5
        [augmentation]
        degrees = 90
        [hardware]
        precision = "8-true"
        [decision]
        threshold = "best"
    """
    with pytest.raises(BadRecipe) as raised:
        read_recipe(written(tmp_path, text))
    for name in (
        "optimiser.rate", "optimiser.epoch", "augmentation.degrees", "hardware.precision", "decision.threshold",
    ):  # fmt: skip
        assert name in str(raised.value)


def test_each_device_needs_two_slices() -> None:
    with pytest.raises(ValueError, match=re.escape("optimiser.batch_size is 4 for 3 devices")):
        Recipe.model_validate(
            {"dataset": "d", "out": "o", "optimiser": {"batch_size": 4}, "hardware": {"devices": 3}}
        )


@pytest.mark.parametrize(
    ("content", "said"), [(b"= 1", "not TOML"), (b"\xff", "not TOML"), (None, "No such")]
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "recipe.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadRecipe, match=said):
        read_recipe(path)


def test_reading_a_recipe_needs_no_torch() -> None:
    code = "import sys, inference.training.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
