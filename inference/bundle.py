"""A model bundle: a folder with `bundle.json`, which says everything about the model, and its weights.

Imports no torch: the service reads the card, only a worker loads the weights.
"""

import hashlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inference.findings import AlgorithmIdentity, pool

CARD = "bundle.json"
WEIGHTS = "model.safetensors"
CERTAIN = 1e-6  # a probability nearer to 0 or 1 is calibrated as if it were this near

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class BadBundle(ValueError):
    """A folder that is no usable model bundle."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Architecture(_Part):
    """What `resnet.py` and `attention.py` are built with."""

    attention: Literal["none", "se", "das", "cbam", "se_das"] = "se_das"
    fusion: Literal["sum", "max", "mean"] = "sum"  # of se_das
    reduction: Annotated[int, Field(ge=1)] = 16
    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    strides: tuple[int, int, int, int] = (1, 2, 2, 2)
    width: Annotated[int, Field(ge=1)] = 64
    channels: Literal[1, 3] = 3


class Preprocessing(_Part):
    """In this order: slabs, in-plane resampling, crop or pad around the lungs, window, zero outside the lungs."""

    slice_thickness_mm: Positive = 5.0
    pixel_mm: Positive = 0.7
    size: Annotated[int, Field(ge=32)] = 512
    window_level_hu: float = -600.0
    window_width_hu: Positive = 1500.0
    outside_lungs: Literal["zero", "keep"] = "zero"  # keep: a model trained without lung segmentation

    @property
    def statement(self) -> str:
        outside = (
            "black outside the lungs" if self.outside_lungs == "zero" else "what is outside the lungs is kept"
        )
        return (
            f"Slices of {self.slice_thickness_mm:g} mm, {self.size} x {self.size} pixels of {self.pixel_mm:g} mm"
            f" around the lungs, window level {self.window_level_hu:g} HU and width {self.window_width_hu:g} HU;"
            f" {outside}."
        )


class ClassCode(_Part):
    """A class of the model and its code in reports."""

    label: Literal["PIMA", "IPN"]
    meaning: Text


class Metric(_Part):
    """On patients that training has not seen; where they selected the epoch, the card's limits say so."""

    name: Text
    value: float
    low: float  # 95 % interval
    high: float
    patients: Annotated[int, Field(ge=1)]


class Calibration(_Part):
    """Logistic recalibration of the patient's probability, the mean over the slices (Platt 1999; Cox 1958)."""

    slope: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # not negative: the ranking stays
    intercept: Annotated[float, Field(allow_inf_nan=False)]
    patients: Annotated[int, Field(ge=1)]  # fitted on so many
    data: Text  # whose they were, in words

    def calibrated(self, probability: float) -> float:
        """Of the mean probability, 0..1; within 1e-6 of 0 or 1 it counts as 1e-6, for a finite logit."""
        clipped = min(max(probability, CERTAIN), 1.0 - CERTAIN)
        logit = self.intercept + self.slope * math.log(clipped / (1.0 - clipped))
        return (1.0 + math.tanh(logit / 2.0)) / 2.0  # the logistic function, without overflow

    @property
    def statement(self) -> str:
        return (
            f"Calibrated at patient level by logistic regression on {self.patients} patients "
            f"({self.data}): slope {self.slope:.3g} and intercept {self.intercept:.3g} on the logit of the "
            "mean slice probability."
        )


class TrainedOn(_Part):
    """A training of ours: by it a report sees that it measures what was trained on, and a node that its lungs differ."""

    dataset_sha256: Sha256  # of its manifest
    split: Text
    segmenter: Text  # of the lungs: name and version
    segmenter_digest: Text


class Card(_Part):
    """What `bundle.json` holds."""

    name: Text
    version: Text
    manufacturer: Text
    architecture: Architecture
    preprocessing: Preprocessing
    threshold: Share = 0.5  # of the patient's probability, from which it reads PIMA
    classes: tuple[ClassCode, ClassCode]  # positive first
    training_data: Text
    trained_on: TrainedOn | None = None  # None: elsewhere
    metrics: tuple[Metric, ...]
    calibration: Calibration | None = None
    intended_use: Text
    limits: tuple[Text, ...]
    licence: Text
    statements: tuple[Text, ...]  # what every output made with it must say
    weights_sha256: Sha256

    def of_patient(self, probabilities: Iterable[float]) -> float:
        """The patient's probability from those of the slices: pooled, then calibrated if the card says how."""
        return self.calibrated(pool(probabilities))

    def calibrated(self, probability: float) -> float:
        """On the scale of the threshold."""
        return self.calibration.calibrated(probability) if self.calibration else probability


class Bundle(BaseModel):
    """A bundle whose weights are the ones its card was written for."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    card: Card
    digest: str  # sha256 of bundle.json, which holds the weights' own

    @property
    def preprocessing(self) -> Preprocessing:
        return self.card.preprocessing

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    def of_other_lungs(self, segmenter: AlgorithmIdentity) -> str:
        """What is to be said where it was trained on lungs of another segmenter; empty where not, or not known."""
        trained = self.card.trained_on
        if trained is None or trained.segmenter_digest == segmenter.digest:
            return ""
        return (
            f"{self.card.name} was trained on lungs by {trained.segmenter} ({trained.segmenter_digest[:12]}), not by"
            f" {segmenter.name} {segmenter.version} ({segmenter.digest[:12]}): its figures may not hold"
        )

    @property
    def identity(self) -> AlgorithmIdentity:
        card = self.card
        return AlgorithmIdentity(
            card.name, card.version, self.digest, card.manufacturer, card.statements, card.limits
        )


def load_bundle(folder: Path) -> Bundle:
    try:
        content = (folder / CARD).read_bytes()
        card = Card.model_validate_json(content)
        weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    except OSError as error:
        raise BadBundle(f"{folder.name}: {error.strerror}: {Path(error.filename).name}") from error
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadBundle(f"{folder.name}/{CARD}: " + "; ".join(mistakes)) from None
    if weights != card.weights_sha256:
        raise BadBundle(
            f"{folder.name}/{WEIGHTS}: sha256 is {weights[:12]}…, the card says {card.weights_sha256[:12]}…"
        )
    return Bundle(folder=folder, card=card, digest=hashlib.sha256(content).hexdigest())


def demonstration() -> Path:
    """The folder of the embedded model: trained on synthetic phantoms, of no clinical meaning."""
    return Path(__file__).parent / "bundles" / "demonstration"
