"""The network of a bundle on a device: images to probabilities and the evidence behind them."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import openvino  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager  # type: ignore[import-untyped]
from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder  # type: ignore[import-untyped]
from torch import Tensor

from inference.bundle import Bundle
from inference.findings import AlgorithmIdentity, NotFinite
from inference.gradcam import Explained, enlarged
from inference.network import trained
from inference.resnet import grey

Run = Callable[
    [Tensor], tuple[Tensor, Tensor]
]  # images (n, 1, rows, columns) to logits and maps, fp32, on the CPU

TOLERANCE = 1e-4  # of a probability, between the compiled and the eager network


class Backend(StrEnum):
    """What runs the network."""

    EAGER = "eager"
    OPENVINO = "openvino"


class Precision(StrEnum):
    """What the network computes in; anything but fp32 moves the scores."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class BadBackend(ValueError):
    """This backend does not run on that device or in that precision."""


class Disagrees(ArithmeticError):
    """The compiled network scores otherwise than the eager one."""


class NotTheModelsSize(ValueError):
    """Images of another size than the bundle's."""


@dataclass(frozen=True, eq=False)
class Scores:
    probabilities: NDArray[np.float32]  # images; of PIMA
    evidence: NDArray[np.float32]  # images, rows, columns; signed, for PIMA


class Classifier:
    """Loaded once and warm between studies."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "cpu",
        batch_size: int = 8,
        backend: Backend | None = None,
        precision: Precision = Precision.FP32,
    ) -> None:
        """`device` is `cpu` or `cuda:N`.

        Without a `backend` it is OpenVINO on the CPU and eager elsewhere. OpenVINO runs on the CPU in fp32
        and takes images one by one, of which more at once gain nothing there; anything else asked of it
        raises `BadBackend`.
        """
        self.bundle = bundle
        self._batch_size = batch_size
        network = trained(bundle)
        self._stride = network.stride
        explained = Explained(grey(network)).eval()
        match backend or (Backend.OPENVINO if device == "cpu" else Backend.EAGER):
            case Backend.OPENVINO:
                if device != "cpu" or precision is not Precision.FP32:
                    raise BadBackend(f"OpenVINO runs on the cpu in fp32, not on {device} in {precision}")
                self._run = _openvino(explained, bundle.preprocessing.size)
            case Backend.EAGER:
                self._run = _eager(explained, torch.device(device), precision)

    @property
    def identity(self) -> AlgorithmIdentity:
        return self.bundle.identity

    def __call__(self, images: NDArray[np.float32]) -> Scores:
        """Images (n, rows, columns) in 0..1, n at least one, of the bundle's size.

        Each is scored by itself: what is batched with it changes nothing.
        """
        size = self.bundle.preprocessing.size
        if images.shape[1:] != (size, size):
            raise NotTheModelsSize(f"images of {images.shape[1:]}, the model takes {(size, size)}")
        given = _tensor(images)
        # Before the network: a compiled ReLU makes 0 of NaN.
        _refuse_not_finite(given.isfinite().all(dim=(1, 2)), "images hold")
        batches = [self._run(batch[:, None]) for batch in torch.split(given, self._batch_size)]
        logits, maps = (torch.cat(parts) for parts in zip(*batches, strict=True))
        finite = logits.isfinite() & maps.isfinite().all(dim=(1, 2))
        _refuse_not_finite(finite, "slices get from the network")
        return Scores(torch.sigmoid(logits).numpy(), enlarged(maps, (size, size), self._stride).numpy())


def _tensor(images: NDArray[np.float32]) -> Tensor:
    """Of mirrored views too, whose strides torch does not take."""
    return torch.from_numpy(np.ascontiguousarray(images))


def _eager(explained: Explained, device: torch.device, precision: Precision) -> Run:
    network = explained.to(device).to(memory_format=torch.channels_last)
    lower = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}

    def run(images: Tensor) -> tuple[Tensor, Tensor]:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if precision in lower:
                stack.enter_context(torch.autocast(device.type, lower[precision]))
            else:  # cuDNN would compute fp32 convolutions in TF32, with 10 bits
                stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=False))
            logits, maps = network(images.to(device, memory_format=torch.channels_last))
        return logits.float().cpu(), maps.float().cpu()

    return run


def _openvino(explained: Explained, size: int) -> Run:
    one = torch.zeros(1, 1, size, size)
    program = torch.export.export(explained, (one,)).run_decompositions()
    decoder = TorchFXPythonDecoder(program.module(), dynamic_shapes=False)
    # openvino.convert_model does the same steps, but first reports its use to Intel over the network.
    frontend = FrontEndManager().load_by_framework("pytorch")
    graph = frontend.convert(frontend.load(decoder))
    # Without the hint the plugin computes in bf16 where the processor can.
    compiled = openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()

    def run(images: Tensor) -> tuple[Tensor, Tensor]:
        results = [list(request.infer([image[None].numpy()]).values()) for image in images]
        logits, maps = (torch.from_numpy(np.concatenate(parts)) for parts in zip(*results, strict=True))
        return logits, maps

    probe = torch.linspace(0.0, 1.0, size * size).reshape(1, 1, size, size)
    with torch.inference_mode():
        _refuse_disagreement(torch.sigmoid(explained(probe)[0]), torch.sigmoid(run(probe)[0]))
    return run


def _refuse_disagreement(expected: Tensor, given: Tensor) -> None:
    if not torch.allclose(given, expected, rtol=0.0, atol=TOLERANCE, equal_nan=True):
        raise Disagrees(f"OpenVINO scores {given.tolist()}, the eager network {expected.tolist()}")


def _refuse_not_finite(finite: Tensor, what: str) -> None:
    if not finite.all():
        raise NotFinite(f"{int((~finite).sum())} of {len(finite)} {what} numbers that are not finite")
