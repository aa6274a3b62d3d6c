"""`result.json`: an outcome for other programs."""

from dataclasses import asdict
from typing import Any

from inference.findings import AlgorithmIdentity, Candidate, Target
from node.steps import Outcome


def as_json(outcome: Outcome) -> dict[str, Any]:
    found, times = outcome.analysis, outcome.analysis.timings_s
    return {
        "study_instance_uid": found.study_instance_uid,
        "series_instance_uid": found.series_instance_uid,
        "label": found.label,
        "probability": found.probability,
        "threshold": found.threshold,
        "consistency": asdict(found.consistency) if found.consistency else None,
        "calibration": found.calibration or None,
        "slice_policy": found.slice_policy,
        "target": _target(found.target) if found.target else None,
        "other_candidates": [_target(candidate) for candidate in found.other_candidates],
        "slices": [
            {
                "sop_instance_uid": s.sop_instance_uid,
                "instance_number": s.instance_number,
                "position_mm": s.position_mm,
                "probability": s.probability,
            }
            for s in found.slices
        ],
        "lung_volume_ml": found.lung_volume_ml,
        "input_quality": [{"code": q.code, "text": q.text} for q in found.input_quality],
        "not_assessed_for": [q.code for q in found.abstained_for],
        "object_findings": [f"{f.sop_instance_uid} {f}" for f in outcome.object_findings],
        "model": _algorithm(found.classifier),
        "segmenter": _algorithm(found.segmenter),
        "candidate": _candidate(found.candidate) if found.candidate else None,
        "statements": [*found.classifier.statements],
        "timings_s": {
            "load": times.load,
            "segment": times.segment,
            "select": times.select,
            "classify": times.classify,
            "encode": outcome.encode_s,
            "total": outcome.total_s,
        },
    }


def _target(target: Target) -> dict[str, Any]:
    return {"position_mm": target.position_mm, "size_mm": target.size_mm}


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "model": _algorithm(candidate.classifier),
        "threshold": candidate.threshold,
        "probability": candidate.probability,
        "failure": candidate.failure or None,
    }


def _algorithm(identity: AlgorithmIdentity) -> dict[str, str]:
    return {"name": identity.name, "version": identity.version, "digest": identity.digest}
