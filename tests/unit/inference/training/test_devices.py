"""Two processes train together; on the CPU, where torch lets them meet by gloo."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.training.checkpoint import CHECKPOINT
from inference.training.finish import BUNDLE
from inference.training.history import HISTORY
from tests.conftest import ROOT
from tests.datasets import write_dataset

SCRIPT = """
import os, sys
from pathlib import Path
from inference.training.fit import Diverged, Stopped
from inference.training.train import train
from inference.training.watch import Watch
from inference.resnet import ResNet
from tests.trainings import tiny_recipe

if __name__ == "__main__":
    how, first, seen = sys.argv[2], os.environ.get("LOCAL_RANK", "0") == "0", []
    recipe = tiny_recipe(Path(sys.argv[1]), hardware={"threads": 1, "devices": 2}, optimiser={"epochs": 2, "batch_size": 7})
    head = ResNet.head
    if how == "nan" and not first:
        ResNet.head = lambda network, features: head(network, features) * float("nan")
    try:
        train(recipe, Watch(on_batch=seen.append, stop_asked=lambda: how == "stop" and first and len(seen) > 1))
    except (Diverged, Stopped) as error:
        print(error, flush=True)
"""


def run(folder: Path, how: str) -> str:
    write_dataset(folder / "data")
    script = folder / "training.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, str(script), str(folder), how],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_two_processes_end_in_one_bundle(tmp_path: Path) -> None:
    run(tmp_path, "train")
    assert (tmp_path / "out" / BUNDLE / "model.safetensors").exists()
    assert not (tmp_path / "out" / CHECKPOINT).exists()
    assert len((tmp_path / "out" / HISTORY).read_text().splitlines()) == 2


@pytest.mark.parametrize(("how", "said"), [("stop", "stopped in epoch 1"), ("nan", "in epoch 1, batch 1")])
def test_what_ends_one_ends_both(tmp_path: Path, how: str, said: str) -> None:
    """None is left waiting for the other, whichever of them it concerns."""
    assert said in run(tmp_path, how)
    assert not (tmp_path / "out" / BUNDLE).exists()
