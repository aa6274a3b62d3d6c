"""`sedas-node analyse`: one study in a folder, without PACS or database. Start at `analyse_folder`."""

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from config.settings import Settings
from inference.executor import Executor, OnStage
from inference.volume import TooLargeForMemory, VolumeRefused
from node import app
from node.annotations import Judgement, Rules, as_file, judge, our_devices
from node.choice import Decision, NotAnalysable, decide
from node.classes import ANNOTATION_CLASSES
from node.headers import Header, read_headers
from node.result_json import as_json
from node.steps import Input, Marks, Origin, Outcome, process

INSTALLATION_ID = "00000000-0000-0000-0000-000000000000"
"""Results made outside an installation; the same input gives the same UIDs everywhere."""


@dataclass(frozen=True)
class Folder:
    """The DICOM images of one study, found in a folder, and the annotations of that study."""

    headers: tuple[Header, ...]
    annotations: tuple[Header, ...]
    not_dicom: int

    @property
    def changed_at(self) -> datetime:
        """When its last file was written: the instant its results carry, so that a repeat gives the same bytes."""
        newest = max(header.path.stat().st_mtime for header in (*self.headers, *self.annotations))
        return datetime.fromtimestamp(int(newest), UTC)


def analyse_folder(path: Path, out: Path, settings: Settings, screen: Console) -> None:
    """Read, choose, analyse, write; and say what was found."""
    folder = read_folder(path)
    _refuse_to_overwrite(out, folder)
    thickness_mm = app.open_bundle(settings).preprocessing.slice_thickness_mm
    judgement = judge_annotations(folder, settings)
    decision = choose(folder, judgement, settings, model_thickness_mm=thickness_mm)
    for finding in (*judgement.findings, *decision.findings):
        screen.print(f"{finding.event}: {finding.detail}")
    if folder.not_dicom:
        screen.print(f"{folder.not_dicom} files are no readable DICOM images")
    with screen.status("loading the models") as status:
        execute = app.in_process(settings)
        try:
            outcome = analyse_into(
                out, folder, judgement, decision, execute, settings, on_stage=status.update
            )
        except (VolumeRefused, TooLargeForMemory) as refusal:
            raise NotAnalysable(str(refusal)) from refusal
    print_outcome(outcome, screen)
    screen.print(f"{len(outcome.objects)} objects in {out / 'dicom'}, the result in {out / 'result.json'}")


def _refuse_to_overwrite(out: Path, folder: Folder) -> None:
    """Only what an earlier `analyse` left in `out` is replaced."""
    made = out / "dicom"
    if out.exists() and not out.is_dir():
        raise NotAnalysable("expected a folder for --out, got a file")
    if any(
        made.resolve() in header.path.resolve().parents for header in (*folder.headers, *folder.annotations)
    ):
        raise NotAnalysable(
            "the images lie in the dicom folder of --out; choose another folder for the result"
        )
    if made.exists() and not (out / "result.json").exists():
        raise NotAnalysable("--out holds a folder dicom that analyse did not make; choose another folder")


def print_outcome(outcome: Outcome, screen: Console) -> None:
    found = outcome.analysis
    if found.probability is None:
        reasons = ", ".join(finding.code for finding in found.abstained_for)
        screen.print(f"no score: {reasons or f'slice policy {found.slice_policy}'}")
    else:
        screen.print(
            f"{found.label}, probability of PIMA {found.probability:.3f}, threshold {found.threshold:g}"
        )
    screen.print(f"{len(found.slices)} slices ({found.slice_policy}), lungs {found.lung_volume_ml:.0f} ml")
    for quality in found.input_quality:
        screen.print(f"{quality.code}: {quality.text}")
    for statement in found.classifier.statements:
        screen.print(statement)
    for finding in outcome.object_findings:
        screen.print(f"faulty object {finding.sop_instance_uid}: {finding}")


def read_folder(path: Path) -> Folder:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    headers = read_headers(files)
    images = tuple(h for h in headers if h.sop_class_uid not in ANNOTATION_CLASSES)
    if not images:
        raise NotAnalysable(
            f"expected a folder of DICOM images, found {len(files)} files and "
            + (f"{len(headers)} annotations alone" if headers else "none is DICOM")
        )
    studies = {h.study_instance_uid for h in images}
    if len(studies) > 1:
        raise NotAnalysable(f"expected the images of one study, found {len(studies)} studies")
    annotations = (h for h in headers if h.sop_class_uid in ANNOTATION_CLASSES)
    return Folder(
        headers=images,
        annotations=tuple(h for h in annotations if h.study_instance_uid in studies),
        not_dicom=len(files) - len(headers),
    )


def judge_annotations(folder: Folder, settings: Settings) -> Judgement:
    rules = Rules(
        patients=frozenset(header.patient_key for header in folder.headers),
        our_devices=our_devices(INSTALLATION_ID, ()),
        algorithms=settings.inference.algorithm_annotations,
    )
    return judge(folder.annotations, rules)


def choose(
    folder: Folder, judgement: Judgement, settings: Settings, *, model_thickness_mm: float
) -> Decision:
    """The series to analyse. Whoever names a folder means it: short series are not refused here."""
    rules = settings.eligibility.model_copy(update={"minimum_slices": 2, "minimum_coverage_mm": 0.0})
    kept = [h for h in folder.headers if h.sop_instance_uid not in judgement.withdrawn]
    if not kept:
        raise NotAnalysable(f"all {len(folder.headers)} images are withdrawn by a rejection note")
    decision = decide(kept, rules, model_thickness_mm=model_thickness_mm, marked=judgement.series)
    if not decision.slices:
        raise NotAnalysable(decision.reason)
    return decision


def analyse_into(
    out: Path,
    folder: Folder,
    judgement: Judgement,
    decision: Decision,
    execute: Executor,
    settings: Settings,
    *,
    on_stage: OnStage,
) -> Outcome:
    """Write `out/result.json` and `out/dicom/*.dcm`, both or neither."""
    inputs = [Input(h.path, _sha256(h.path)) for h in decision.slices]
    counting = [h for h in folder.annotations if h.sop_instance_uid in judgement.counting]
    annotations = [Marks(as_file(h), _sha256(h.path)) for h in counting]
    origin = Origin(INSTALLATION_ID, generation=1, at=folder.changed_at)
    out.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=out, prefix=".partial-"))
    try:
        outcome = process(
            inputs, annotations, execute, settings, origin, partial / "dicom", on_stage=on_stage
        )
        text = json.dumps(as_json(outcome), indent=2)
        (partial / "result.json").write_text(text + "\n", encoding="utf-8")
        shutil.rmtree(out / "dicom", ignore_errors=True)
        (partial / "dicom").replace(out / "dicom")
        (partial / "result.json").replace(out / "result.json")
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return outcome


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
