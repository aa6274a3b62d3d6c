"""An outcome as database rows: `inference` and `db` never meet but here."""

from pathlib import Path

from db.models import CandidateScore, FoundTarget, Job, QualityFinding, Result, ResultObject, SliceScore
from inference.findings import Analysis
from node.steps import Outcome


def result_row(job: Job, outcome: Outcome, outbox: Path) -> Result:
    found, images = outcome.analysis, outcome.acquisition
    return Result(
        job_id=job.id,
        digest=outcome.digest,
        label=found.label,
        probability=found.probability,
        spread=found.consistency.spread if found.consistency else None,
        flip=found.consistency.flip if found.consistency else None,
        calibration=found.calibration,
        threshold=found.threshold,
        slice_policy=found.slice_policy,
        lung_volume_ml=found.lung_volume_ml,
        classifier=found.classifier.name,
        classifier_version=found.classifier.version,
        classifier_digest=found.classifier.digest,
        segmenter=found.segmenter.name,
        segmenter_version=found.segmenter.version,
        segmenter_digest=found.segmenter.digest,
        seconds=outcome.total_s,
        age_years=images.age_years,
        sex=images.sex,
        acquired_month=images.month,
        manufacturer=images.manufacturer,
        scanner_model=images.scanner_model,
        kernel=images.kernel,
        slice_thickness_mm=images.slice_thickness_mm,
        site=images.site,
        candidate=_candidate(found),
        targets=_targets(found),
        slices=[
            SliceScore(
                rank=rank,
                sop_instance_uid=s.sop_instance_uid,
                instance_number=s.instance_number,
                probability=s.probability,
            )
            for rank, s in enumerate(found.slices)
        ],
        input_quality=[
            QualityFinding(rank=rank, code=q.code, text=q.text, abstained=q in found.abstained_for)
            for rank, q in enumerate(found.input_quality)
        ],
        objects=[
            ResultObject(
                sop_instance_uid=made.sop_instance_uid,
                rank=rank,
                sop_class_uid=made.sop_class_uid,
                path=str(made.path.relative_to(outbox)),
                sha256=made.sha256,
            )
            for rank, made in enumerate(outcome.objects)
        ],
    )


def _candidate(found: Analysis) -> CandidateScore | None:
    if found.candidate is None:
        return None
    classifier = found.candidate.classifier
    return CandidateScore(
        classifier=classifier.name,
        classifier_version=classifier.version,
        classifier_digest=classifier.digest,
        threshold=found.candidate.threshold,
        probability=found.candidate.probability,
        failure=found.candidate.failure,
    )


def _targets(found: Analysis) -> list[FoundTarget]:
    if found.target is None:
        return []
    return [
        FoundTarget(rank=rank, x_mm=x, y_mm=y, z_mm=z, size_mm=target.size_mm)
        for rank, target in enumerate((found.target, *found.other_candidates))
        for x, y, z in [target.position_mm or (None, None, None)]
    ]
