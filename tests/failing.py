"""Executors that go wrong, importable by the child process that runs them."""

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from inference.bundle import BadBundle
from inference.executor import OnStage, Request
from inference.findings import Analysis
from inference.volume import TooFewSlices
from tests.analyses import analysis_of, ct_headers


@dataclass(frozen=True)
class Doing:
    """Does what it is told, or else what the request's first path is named after; otherwise it analyses."""

    what: str = ""

    def __call__(self, request: Request, *, on_stage: OnStage) -> Analysis:
        on_stage("load")
        match self.what or request.slices[0].name:
            case "hang":
                threading.Event().wait()
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "run out of memory":
                raise MemoryError("Roe^Jane")
            case "lose the GPU":
                raise RuntimeError("CUDA error: an illegal memory access was encountered, Roe^Jane")
            case "refuse":
                raise TooFewSlices("1 slices, expected at least 2")
        return analysis_of(ct_headers(rows=64, columns=64))


def models_in(folder: Path) -> Doing:
    """Only while the folder is there."""
    return Doing() if folder.exists() else no_models()


def no_models() -> Doing:
    raise BadBundle("demonstration/model.safetensors: sha256 is not the card's")


def asked(what: str) -> Request:
    return Request((Path(what),))
