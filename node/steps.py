"""From the files of one series to result objects on disk: the same steps for the worker and `sedas-node analyse`."""

import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from config.settings import Settings
from dicom_out import encode, identity, validation
from dicom_out.finding import Finding
from inference.annotation_files import File
from inference.executor import Executor, OnStage, Request
from inference.findings import Analysis, InputQuality, QualityCode
from node.acquisition import Acquisition, acquisition_of
from node.release import level, released

log = logging.getLogger(__name__)

_UIDS = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]


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
    predecessor: identity.Predecessor | None = None  # the report of an earlier generation
    missing: str = ""  # why the study does not count as complete, in words


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
    acquisition: Acquisition
    objects: tuple[Made, ...]
    object_findings: tuple[Finding, ...]  # what is wrong with the objects: with any, none is sent
    encode_s: float
    total_s: float


def process(
    inputs: Sequence[Input],
    annotations: Sequence[Marks],
    execute: Executor,
    settings: Settings,
    origin: Origin,
    folder: Path,
    *,
    candidate: bool = True,
    on_stage: OnStage,
) -> Outcome:
    """Analyse the slices, with what is marked in them, write the result objects into `folder`, and check them."""
    started = time.perf_counter()
    request = Request(
        tuple(i.path for i in inputs),
        tuple(a.file for a in annotations),
        _of_study(origin.missing),
        candidate,
    )
    analysis = execute(request, on_stage=on_stage)
    on_stage("encode")
    encoding = time.perf_counter()
    digest = _digest(inputs, annotations, analysis, settings, origin)
    provenance = identity.Provenance(
        installation_id=origin.installation_id,
        generation=origin.generation,
        result_digest=digest,
        at=origin.at,
        software_version=version("sedas-node"),
        predecessor=origin.predecessor,
    )
    sources = [dcmread(i.path, stop_before_pixels=True) for i in inputs]
    marks = [dcmread(a.file.path, stop_before_pixels=True, specific_tags=_UIDS) for a in annotations]
    shown, wanted = released(settings.release, analysis), settings.results
    for obstacle in encode.obstacles(
        shown, sources, parametric_map=wanted.parametric_map, presentation_state=wanted.presentation_state
    ):
        log.info("result object left out", extra={"reason": obstacle})
    objects = encode.encode(
        shown,
        sources,
        provenance,
        marks,
        segmentation=wanted.segmentation,
        key_objects=wanted.key_objects,
        parametric_map=wanted.parametric_map,
        presentation_state=wanted.presentation_state,
    )
    paths = encode.write(objects, folder)
    written = [dcmread(path) for path in paths]
    made = tuple(_made(path, ds) for path, ds in zip(paths, written, strict=True))
    found = validation.findings(written, sources, marks)
    ended = time.perf_counter()
    return Outcome(
        analysis,
        digest,
        acquisition_of(sources),
        made,
        found,
        encode_s=ended - encoding,
        total_s=ended - started,
    )


def _digest(
    inputs: Sequence[Input],
    annotations: Sequence[Marks],
    analysis: Analysis,
    settings: Settings,
    origin: Origin,
) -> str:
    shown = level(settings.release, analysis.slice_policy)
    # The models themselves stand in the digest by their own.
    moving = settings.inference.model_dump_json(
        include={"abstain_for", "algorithm_annotations", "device", "backend", "precision"}
    )
    return identity.result_digest(
        input_digests=[i.sha256 for i in inputs],
        annotation_digests=[a.sha256 for a in annotations],
        bundle_digest=analysis.classifier.digest,
        segmenter_digest=analysis.segmenter.digest,
        settings=f"release={shown} {moving} {settings.results.model_dump_json()} {origin.missing}".rstrip(),
        software_version=version("sedas-node"),
        at=origin.at,
        predecessor=origin.predecessor,
    )


def _of_study(missing: str) -> tuple[InputQuality, ...]:
    return (InputQuality(QualityCode.INCOMPLETE_STUDY, f"{missing}."),) if missing else ()


def predecessor(report: Path) -> identity.Predecessor | None:
    """The earlier report in this file; None if somebody has cleared it away."""
    if not report.is_file():
        return None
    ds = dcmread(report, stop_before_pixels=True, specific_tags=_UIDS)
    return identity.Predecessor(str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID), str(ds.SOPClassUID))


def _made(path: Path, ds: Dataset) -> Made:
    return Made(
        sop_instance_uid=str(ds.SOPInstanceUID),
        sop_class_uid=str(ds.SOPClassUID),
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
