"""From the files of one series to result objects on disk: the same steps for the worker and `sedas-node analyse`."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pydicom import dcmread

from config.settings import Settings
from dicom_out import encode, identity
from inference.analyse import Models, analyse
from inference.annotation_files import File, read
from inference.annotations import Series
from inference.findings import Analysis
from inference.volume import load
from node.release import level, released

OnStage = Callable[[str], None]


@dataclass(frozen=True)
class Input:
    """One slice to analyse."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Marks:
    """One annotation that counts."""

    file: File
    sha256: str


@dataclass(frozen=True)
class Origin:
    """Which run this is: facts that enter every UID of its results."""

    installation_id: str
    generation: int
    at: datetime  # when the study was complete: the instant its results carry


@dataclass(frozen=True)
class Made:
    """A result object on disk."""

    sop_instance_uid: str
    sop_class_uid: str
    path: Path
    sha256: str


@dataclass(frozen=True)
class Outcome:
    """The result of one series: what was found, and the objects that say so."""

    analysis: Analysis
    digest: str
    objects: tuple[Made, ...]
    encode_s: float
    total_s: float


def process(
    inputs: Sequence[Input],
    annotations: Sequence[Marks],
    models: Models,
    settings: Settings,
    origin: Origin,
    folder: Path,
    *,
    on_stage: OnStage,
) -> Outcome:
    """Analyse the slices, with what is marked in them, and write the result objects into `folder`."""
    started = time.perf_counter()
    on_stage("load")
    ct = load([i.path for i in inputs])
    sources = [dcmread(i.path, stop_before_pixels=True) for i in inputs]
    series = Series(ct.series_instance_uid, str(sources[0].get("FrameOfReferenceUID") or ""))
    algorithms = settings.inference.algorithm_annotations
    marked = [read(annotation.file, series, algorithms=algorithms) for annotation in annotations]
    analysis = analyse(ct, marked, models, on_stage=on_stage)
    on_stage("encode")
    encoding = time.perf_counter()
    digest = _digest(inputs, annotations, analysis, settings, origin)
    provenance = identity.Provenance(
        installation_id=origin.installation_id,
        generation=origin.generation,
        result_digest=digest,
        at=origin.at,
        software_version=version("sedas-node"),
    )
    objects = encode.encode(released(settings.release, analysis), sources, provenance)
    made = tuple(_made(path) for path in encode.write(objects, folder))
    ended = time.perf_counter()
    return Outcome(analysis, digest, made, encode_s=ended - encoding, total_s=ended - started)


def _digest(
    inputs: Sequence[Input],
    annotations: Sequence[Marks],
    analysis: Analysis,
    settings: Settings,
    origin: Origin,
) -> str:
    shown = level(settings.release, analysis.slice_policy)
    rules = settings.inference
    return identity.result_digest(
        input_digests=[i.sha256 for i in inputs],
        annotation_digests=[a.sha256 for a in annotations],
        bundle_digest=analysis.classifier.digest,
        segmenter_digest=analysis.segmenter.digest,
        settings=f"abstain_for={sorted(rules.abstain_for)} release={shown} "
        f"algorithm_annotations={rules.algorithm_annotations}",
        software_version=version("sedas-node"),
        at=origin.at,
    )


def _made(path: Path) -> Made:
    ds = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID"])
    return Made(
        sop_instance_uid=str(ds.SOPInstanceUID),
        sop_class_uid=str(ds.SOPClassUID),
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
