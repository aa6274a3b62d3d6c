"""Score and heat map of a slice: the service against a plain ResNet50 and against pytorch-grad-cam.

`python -m tests.benchmarks.slices` prints JSON. All ways take turns in one run, so that the ratios hold
on a busy machine too; medians over the rounds. The weights are random, with batch-norm statistics and a
head set from the images, so that activations keep their scale and logits differ.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet50  # type: ignore[import-untyped]

from inference.bundle import (
    WEIGHTS,
    Architecture,
    Bundle,
    Preprocessing,
    demonstration,
    load_bundle,
)
from inference.classifier import Backend, Classifier, Scores
from inference.gradcam_layers import gradient_map
from inference.network import build, trained
from inference.resnet import ResNet

SIZE = 512
Way = Callable[[], object]


@dataclass(frozen=True)
class SliceFigures:
    """Medians, in seconds per slice unless named otherwise."""

    slices: int
    rounds: int
    threads: int
    plain_s: float  # torchvision's ResNet50, eager, fp32, slice by slice
    plain_batched_s: float  # the same, all slices at once
    grad_cam_s: float  # pytorch-grad-cam on the SE-DAS network, slice by slice
    eager_s: float  # the service's classifier, score and map
    openvino_s: float
    eager_to_plain: float
    openvino_to_plain: float  # must be at most 0.6
    openvino_to_plain_batched: float
    openvino_to_grad_cam: float  # must be at most 1/6
    logit_spread: float  # standard deviation over the slices: the differences below mean something
    largest_probability_difference: float  # to the eager fp32 network; must be at most 1e-4
    largest_map_difference: float  # to pytorch-grad-cam's map, relative to its largest value


def measure(*, slices: int = 8, rounds: int = 5) -> SliceFigures:
    torch.manual_seed(0)
    images = _images(slices)
    with tempfile.TemporaryDirectory() as folder:
        bundle = full_bundle(Path(folder), images)
        network = trained(bundle)
        eager = Classifier(bundle, backend=Backend.EAGER, batch_size=slices)
        compiled = Classifier(bundle, backend=Backend.OPENVINO, batch_size=slices)
    plain, coloured, grey = resnet50().eval(), images[:, None].repeat(1, 3, 1, 1), images[:, None]
    ways: dict[str, Way] = {
        "plain": lambda: _forward(plain, coloured, 1),
        "plain_batched": lambda: _forward(plain, coloured, slices),
        "grad_cam": lambda: score_by_grad_cam(network, grey),
        "eager": lambda: eager(images.numpy()),
        "openvino": lambda: compiled(images.numpy()),
    }
    seconds = {name: each / slices for name, each in _timed(ways, rounds).items()}
    return SliceFigures(
        slices=slices,
        rounds=rounds,
        threads=torch.get_num_threads(),
        **{f"{name}_s": each for name, each in seconds.items()},
        eager_to_plain=seconds["eager"] / seconds["plain"],
        openvino_to_plain=seconds["openvino"] / seconds["plain"],
        openvino_to_plain_batched=seconds["openvino"] / seconds["plain_batched"],
        openvino_to_grad_cam=seconds["openvino"] / seconds["grad_cam"],
        **_differences(network, compiled(images.numpy()), grey),
    )


def _timed(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """The median of each over the rounds, after one round to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - started)
    return {name: median(each[1:]) for name, each in taken.items()}


def _forward(network: nn.Module, images: Tensor, batch_size: int) -> None:
    with torch.inference_mode():
        for batch in torch.split(images, batch_size):
            network(batch)


def score_by_grad_cam(network: ResNet, images: Tensor) -> None:
    with GradCAM(model=_OneColumn(network), target_layers=[network.layer4[-1]]) as cam:
        for image in images:
            cam(input_tensor=image[None], targets=None)


def _differences(network: ResNet, scores: Scores, images: Tensor) -> dict[str, float]:
    with torch.inference_mode():
        logits = torch.cat([network(image[None]) for image in images])
    maps = torch.cat([gradient_map(network, network.layer4[-1], image[None]) for image in images])
    ours = scores.evidence[:, :: network.stride, :: network.stride]
    return {
        "logit_spread": float(logits.std()),
        "largest_probability_difference": float(
            np.abs(torch.sigmoid(logits).numpy() - scores.probabilities).max()
        ),
        "largest_map_difference": float(np.abs(maps.numpy() - ours).max() / maps.abs().max()),
    }


class _OneColumn(nn.Module):
    """The network as pytorch-grad-cam wants it: images by classes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits[:, None]


def _images(count: int) -> Tensor:
    """Clouds in 0..1, each of its own coarseness."""
    cells = torch.linspace(4, 64, count).round().int().tolist()
    clouds = [
        functional.interpolate(torch.rand(1, 1, n, n), size=(SIZE, SIZE), mode="bilinear") for n in cells
    ]
    return torch.cat(clouds)[:, 0]


def full_bundle(folder: Path, images: Tensor | None = None) -> Bundle:
    """The full SE-DAS ResNet50, as a bundle that began with ImageNet has it."""
    architecture = Architecture()
    network = build(architecture)
    _settle(network, (_images(4) if images is None else images)[:, None])
    save_file(network.state_dict(), folder / WEIGHTS)
    card = load_bundle(demonstration()).card.model_copy(
        update={
            "architecture": architecture,
            "preprocessing": Preprocessing(size=SIZE),
            "weights_sha256": sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
        }
    )
    return Bundle(folder=folder, card=card, digest=card.weights_sha256)


def _settle(network: ResNet, images: Tensor) -> None:
    """Batch-norm statistics from the images, and a head whose logits have mean 0 and deviation 1 on them."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain mean over the batches seen
    with torch.inference_mode(), torch.random.fork_rng():
        network.train()(images)
        logits = network.eval()(images)
        network.fc.weight /= logits.std()
        network.fc.bias.copy_((network.fc.bias - logits.mean()) / logits.std())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    json.dump(asdict(measure(slices=chosen.slices, rounds=chosen.rounds)), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
