"""The commands that train and that make and show bundles, as a person calls them."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from inference.bundle import WEIGHTS, demonstration, load_bundle
from inference.network import trained
from inference.training.recipe import Recipe, read_recipe
from node.research.bundle import parameters
from tests.conftest import ROOT
from tests.datasets import write_dataset

DOCUMENT = (ROOT / "docs" / "training.md").read_text()
RECIPE = """
dataset = "data"
out = "out"
initial = "random"
[architecture]
layers = [1, 1, 1, 1]
width = 4
channels = 1
[optimiser]
epochs = 2
batch_size = 6
[hardware]
threads = 1
"""


def command(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "node", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_recipe_becomes_a_bundle_that_is_shown(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    ran = command("train", "recipe.toml", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"epoch 2: loss \d\.\d+, selection loss", ran.stdout)
    assert "finished: sedas-node bundle show out/bundle" in ran.stdout
    shown = command("bundle", "show", "out/bundle", cwd=tmp_path).stdout
    bundle = load_bundle(tmp_path / "out" / "bundle")
    for said in (
        "Trained on synthetic phantoms, no clinical meaning.",
        "dynamic attention (DAS) in parallel",
        "32 x 32 pixels of 11.2 mm",
        "sensitivity: ",
        bundle.digest,
        bundle.card.weights_sha256,
        *(limit for limit in bundle.card.limits),
    ):
        assert said in " ".join(shown.split()), said


def test_what_a_person_can_mend_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    ran = command("train", "recipe.toml", cwd=tmp_path)
    assert (ran.returncode, ran.stdout.strip()) == (2, "")
    assert (
        ran.stderr == "sedas-node: data: No such file or directory: dataset.json; was it built to its end?\n"
    )


STOPS_ITSELF = """
import os, signal, sys
from inference.training.fit import Course
from node.__main__ import cli

end = Course._end
def stopping(course, number, done):
    end(course, number, done)
    os.killpg(os.getpgrp(), getattr(signal, sys.argv[2]))  # as a terminal and systemd do: its readers hear it too
Course._end = stopping
cli(["train", sys.argv[1]])
"""


@pytest.mark.parametrize(
    ("name", "code"), [("SIGTERM", 128 + signal.SIGTERM), ("SIGINT", 128 + signal.SIGINT)]
)
def test_a_signal_ends_it_with_a_checkpoint_and_says_how_to_go_on(
    tmp_path: Path, name: str, code: int
) -> None:
    write_dataset(tmp_path / "data")
    (tmp_path / "recipe.toml").write_text(RECIPE + "workers = 1\n")
    ran = subprocess.run(
        [sys.executable, "-c", STOPS_ITSELF, "recipe.toml", name],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert ran.returncode == code, ran.stderr
    assert "stopped in epoch 2, batch 1 of 4" in ran.stdout
    assert "sedas-node train recipe.toml goes on from there" in ran.stdout
    rows = (tmp_path / "out" / "history.jsonl").read_text().splitlines()
    assert [json.loads(row)["number"] for row in rows] == [1]
    assert (tmp_path / "out" / "checkpoint.pt").exists()


def test_a_checkpoint_of_somebody_else_becomes_a_bundle_or_is_refused(tmp_path: Path) -> None:
    weights = trained(load_bundle(demonstration())).state_dict()
    torch.save(
        {"model": {f"module.{name}": value for name, value in weights.items()}}, tmp_path / "theirs.pth"
    )
    (tmp_path / "card.toml").write_text(CARD)
    arguments = ("bundle", "import", "theirs.pth", "--card", "card.toml", "--out")
    ran = command(*arguments, "mine", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    ours = load_bundle(tmp_path / "mine")
    assert parameters(ours.weights) == parameters(demonstration() / WEIGHTS)
    refused = command(*arguments, "other", "--two-logits", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("sedas-node: two logits are expected of fc.weight, fc.bias")


CARD = """
name = "theirs"
version = "7"
manufacturer = "A group elsewhere"
training_data = "Somebody's phantoms"
intended_use = "Research."
limits = []
licence = "Apache-2.0"
statements = ["Imported."]
metrics = []
classes = [{label = "PIMA", meaning = "Mucinous adenocarcinoma"}, {label = "IPN", meaning = "Inflammatory nodule"}]
architecture = {layers = [1, 1, 1, 1], strides = [1, 2, 1, 1], width = 8, channels = 1}
preprocessing = {size = 256, pixel_mm = 1.4}
"""


def test_parameters_are_those_that_are_trained() -> None:
    network = trained(load_bundle(demonstration()))
    assert parameters(demonstration() / WEIGHTS) == sum(value.numel() for value in network.parameters())


def test_the_documented_recipe_is_that_of_the_defaults(tmp_path: Path) -> None:
    least, full = re.findall(r"```toml\n(dataset.*?)```", DOCUMENT, re.DOTALL)
    recipes = []
    for text in (least, full):
        (tmp_path / "recipe.toml").write_text(text)
        recipes.append(read_recipe(tmp_path / "recipe.toml"))
    assert recipes[0] == recipes[1]
    keys = set(re.findall(r"^#? ?(\w+) = ", full, re.MULTILINE))
    sections = ("bundle", "architecture", "input", "augmentation", "optimiser", "hardware", "decision")
    fields = {name for part in sections for name in type(getattr(recipes[0], part)).model_fields}
    assert keys == fields | (set(Recipe.model_fields) - set(sections))
