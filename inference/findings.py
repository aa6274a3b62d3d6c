"""What an analysis found, as plain values: all that `dicom_out` and `node` know of inference.

Positions are x, y, z in mm in the patient's coordinates (PS3.3 C.7.6.2.1.1: towards left,
posterior, head). Imports neither torch nor pydicom.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Position = tuple[float, float, float]


class NotFinite(ArithmeticError):
    """NaN or infinity in an image or from a network: no result."""


class Label(StrEnum):
    """The two classes of the paper (section Task)."""

    PIMA = "PIMA"
    IPN = "IPN"


class SlicePolicy(StrEnum):
    """How the scored slices were found; `NONE` means that no target was found and nothing is scored."""

    ANNOTATED = "annotated"
    AUTOMATIC = "automatic"
    NONE = "none"


class QualityCode(StrEnum):
    """Input-quality findings: each is a limitation that the report states, or a reason to give no number."""

    DUPLICATE_SLICES = "duplicate_slices"
    SEVERAL_ACQUISITIONS = "several_acquisitions"
    MISSING_SLICES = "missing_slices"
    UNEVEN_SPACING = "uneven_spacing"
    GANTRY_TILT = "gantry_tilt"
    SLICE_THICKNESS = "slice_thickness"
    SOFT_KERNEL = "soft_kernel"
    UNKNOWN_KERNEL = "unknown_kernel"
    CONTRAST_AGENT = "contrast_agent"
    LOSSY_COMPRESSION = "lossy_compression"
    DERIVED_IMAGES = "derived_images"
    LUNG_VOLUME = "lung_volume"
    LUNGS_CUT_OFF = "lungs_cut_off"
    ANNOTATION_REFUSED = "annotation_refused"
    INCOMPLETE_STUDY = "incomplete_study"


@dataclass(frozen=True, order=True)
class InputQuality:
    code: QualityCode
    text: str  # one English sentence with the numbers


@dataclass(frozen=True)
class AlgorithmIdentity:
    """One trained or hand-written algorithm, exactly: another build has another digest."""

    name: str
    version: str
    digest: str  # sha256, hexadecimal
    manufacturer: str = "sedas-node"
    statements: tuple[str, ...] = ()  # what every output made with it must say
    limits: tuple[str, ...] = ()  # what must be known to judge it


@dataclass(frozen=True)
class Target:
    """A lesion, confirmed or a candidate; an annotation may name its slices and not its place."""

    position_mm: Position | None  # centre
    size_mm: float | None  # longest diameter in an axial plane


@dataclass(frozen=True)
class Mark:
    """The annotation object that the target is taken from; of a segmentation, from which of its segments."""

    sop_instance_uid: str
    segment: int | None


@dataclass(frozen=True)
class Consistency:
    """How much the score moves with what should not matter. No confidence, and never named one."""

    spread: float  # standard deviation of the slices' probabilities
    flip: float  # how far the patient's probability moves when every slice is mirrored left to right


@dataclass(frozen=True)
class ScoredSlice:
    """One axial image that went through the network, on the grid of the source slice it shows."""

    sop_instance_uid: str  # the source slice nearest the middle of the slab
    source_uids: tuple[str, ...]  # every source slice averaged into it
    instance_number: int | None
    position_mm: Position  # ImagePositionPatient of the source slice
    probability: float | None  # of PIMA, 0..1; None where no score is released
    hu: NDArray[np.int16]  # rows, columns; the source slice itself
    lungs: NDArray[np.bool_]  # rows, columns
    lesion: NDArray[np.bool_]  # rows, columns; the target's extent in this slice
    heat: NDArray[np.float32] | None  # rows, columns; 0..1, one scale for the whole study


@dataclass(frozen=True)
class Timings:
    """Seconds spent in each stage of an analysis."""

    load: float
    segment: float
    select: float
    classify: float


@dataclass(frozen=True)
class Candidate:
    """What a second model makes of the same target, for later comparison: it is kept and shown to nobody."""

    classifier: AlgorithmIdentity
    threshold: float
    probability: float | None  # of PIMA, 0..1
    failure: str = ""  # why there is no number


@dataclass(frozen=True)
class Analysis:
    """The result for one series. `label`, `probability` and `consistency` are all None or all given."""

    study_instance_uid: str
    series_instance_uid: str
    label: Label | None
    probability: float | None  # of PIMA, 0..1: the mean over `slices`, then `calibration` if there is one
    consistency: Consistency | None
    calibration: str  # what was done to the mean and on whose figures; empty where nothing was
    threshold: float
    slice_policy: SlicePolicy
    target: Target | None
    other_candidates: tuple[Target, ...]
    slices: tuple[ScoredSlice, ...]  # from feet to head
    lung_volume_ml: float
    input_quality: tuple[InputQuality, ...]
    abstained_for: tuple[InputQuality, ...]  # those of `input_quality` for which no number is given
    classifier: AlgorithmIdentity
    segmenter: AlgorithmIdentity
    timings_s: Timings
    selected_by: Mark | None = None  # what the slices were selected by, if they are annotated
    candidate: Candidate | None = None  # where one is configured and the model gave a number

    def without_score(self) -> "Analysis":
        """The same findings with no class and no number: where to look, and nothing else."""
        slices = tuple(replace(s, probability=None, heat=None) for s in self.slices)
        return replace(self, label=None, probability=None, consistency=None, calibration="", slices=slices)


def pool(probabilities: Iterable[float]) -> float:
    """The patient's probability: the mean of the slices' (paper, Network)."""
    return float(np.mean(list(probabilities)))


def read(probability: float, threshold: float) -> Label:
    """PIMA from `threshold` up (paper, Network)."""
    return Label.PIMA if probability >= threshold else Label.IPN
