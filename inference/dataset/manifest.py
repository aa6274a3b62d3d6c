"""What `dataset.json` holds: every case, how it was prepared, and who trains, selects and tests."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from inference.bundle import Preprocessing
from inference.evaluation.flow import Flow
from inference.evaluation.subject import Period, Sex

MANIFEST = "dataset.json"
FORMAT: Final = 1

Text = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Case(_Part):
    """One patient, under a pseudonym; the folder `cases/NAME` holds its arrays."""

    name: Annotated[str, Field(pattern="^case-[0-9]{4,}$")]
    label: Literal["PIMA", "IPN"]
    confirmed_by: Text
    size_mm: Annotated[float, Field(gt=0)] | None  # longest axial diameter
    lobe: str
    sex: Sex | None
    age_years: Annotated[int, Field(ge=0, le=90)] | None  # 90: or older
    year: int | None  # of acquisition; more of a date is not kept
    period: Period | None
    site: str
    hard: bool | None  # of the predefined hard cases
    scanner: str  # manufacturer and model
    kernel: str
    slice_thickness_mm: float | None
    marked_by: Text  # the kind of annotation that named the slices
    slice_sha256: Annotated[tuple[Sha256, ...], Field(min_length=1)]  # of each slice's pixels, feet to head
    images_sha256: Sha256  # of `images.npy`
    lungs_sha256: Sha256
    lesion_sha256: Sha256
    prepared_by: Sha256  # of the numbers, the segmenter and the software: the same for every case

    @property
    def positive(self) -> bool:
        return self.label == "PIMA"


class Mode(StrEnum):
    INNER = "inner"  # an inner part selects, calibrates and sets the threshold; the test part is untouched
    PAPER = "paper"  # the test part also selects, as in the paper: optimistic


class Split(_Part):
    """By case name; in `paper` mode `selection` and `test` are the same cases."""

    name: Text  # main, fold-1, without-SITE
    mode: Mode
    train: tuple[str, ...]
    selection: tuple[str, ...]
    test: tuple[str, ...]


class Segmenter(_Part):
    name: Text
    version: Text
    digest: Text


class Manifest(_Part):
    format: Literal[1] = FORMAT
    name: Text
    version: Text
    software: Text  # sedas-node and its version
    preprocessing: Preprocessing  # `outside_lungs` is the training's choice: both are here
    segmenter: Segmenter
    cases: Annotated[tuple[Case, ...], Field(min_length=1)]
    splits: Annotated[tuple[Split, ...], Field(min_length=1)]
    split_by: Text  # how, in words: seed and strata, or the table
    flow: Flow
    synthetic: bool  # drawn phantoms, no patients
