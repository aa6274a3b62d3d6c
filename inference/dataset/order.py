"""What is to be built, how, and where."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from inference.analyse import Segmenter
from inference.bundle import Preprocessing
from inference.dataset.manifest import Split
from inference.dataset.marks import Rules
from inference.dataset.rules import Inclusion
from inference.findings import AlgorithmIdentity

MakeSegmenter = Callable[[], Segmenter]


@dataclass(frozen=True)
class Recipe:
    """How every case is made."""

    numbers: Preprocessing
    rules: Rules
    minimum_lung_ml: float
    make_segmenter: MakeSegmenter  # hashable and picklable: each process makes its own, once
    software: str

    def prepared_by(self, segmenter: AlgorithmIdentity) -> str:
        """A digest of all that the arrays of a case depend on beside its images and marks."""
        facts = {
            "numbers": self.numbers.model_dump(mode="json"),
            "marks": asdict(self.rules),
            "segmenter": [segmenter.name, segmenter.version, segmenter.digest],
            "software": self.software,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Order:
    out: Path
    name: str
    version: str
    table_sha256: str  # never published: the cases' names are drawn by it
    splits: tuple[Split, ...]  # over patient ids
    split_by: str
    recipe: Recipe
    inclusion: Inclusion = field(default_factory=Inclusion)
