"""What the demonstration bundle is, and what it says of itself."""

import hashlib
from pathlib import Path

from inference.bundle import CARD, WEIGHTS, Architecture, Card, ClassCode, Metric, Preprocessing

# Small, and with a last map of 32 x 32, so that the heat is finer than the lesion.
ARCHITECTURE = Architecture(layers=(1, 1, 1, 1), strides=(1, 2, 1, 1), width=8, channels=1)
PREPROCESSING = Preprocessing(pixel_mm=1.4, size=256)
THRESHOLD = 0.5


def write_bundle(folder: Path, weights: bytes, *, training_data: str, metrics: tuple[Metric, ...]) -> None:
    """`weights` as safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(weights)
    card = Card(
        name="sedas-demonstration",
        version="2",
        manufacturer="sedas-node",
        architecture=ARCHITECTURE,
        preprocessing=PREPROCESSING,
        threshold=THRESHOLD,
        classes=(
            ClassCode(label="PIMA", meaning="Pulmonary invasive mucinous adenocarcinoma"),
            ClassCode(label="IPN", meaning="Inflammatory pulmonary nodule"),
        ),
        training_data=training_data,
        metrics=metrics,
        intended_use="Showing that the node works from image to report. Nothing else.",
        limits=(
            "It has seen no patient: only drawings whose two kinds of lesion are caricatures.",
            "Its figures are those of other drawings of the same kind and say nothing about patients.",
            "The two kinds differ in size, as in the paper; the controls in the metrics are other trainings.",
            "Slices are resampled in their plane only and scored one by one.",
        ),
        licence="Apache-2.0",
        statements=("Demonstration model, no clinical meaning.",),
        weights_sha256=hashlib.sha256(weights).hexdigest(),
    )
    (folder / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
