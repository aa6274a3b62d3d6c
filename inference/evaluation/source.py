"""What a report is written from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from inference.evaluation.flow import Flow
from inference.evaluation.section import Section
from inference.evaluation.subject import Subject


@dataclass(frozen=True)
class Model:
    name: str
    version: str
    digest: str  # of its bundle
    training_data: str = ""
    preprocessing: str = ""  # in words
    statements: tuple[str, ...] = ()  # what every output made with it must say
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    title: str
    data: str  # whose patients these are, in words
    model: Model
    threshold: float  # of the patient's probability, from which it reads PIMA
    subjects: tuple[Subject, ...]  # those without a probability are counted and left out of the figures
    flow: Flow | None = None
    optimistic: str = ""  # why the figures flatter the model; empty where they do not
    rivals: Mapping[str, tuple[Subject, ...]] = field(
        default_factory=dict
    )  # other models, by name, same patients
    further: tuple[Section, ...] = ()
    seed: int = 0  # of the bootstrap
    calibrated: Callable[[float], float] | None = (
        float  # a slice's score on the scale of the threshold; None: not known
    )
    names: str = "pseudonyms"  # what the subjects are named by
