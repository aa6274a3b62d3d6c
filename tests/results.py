"""A result that no test looks into."""

from db.models import Result


def result(job_id: int) -> Result:
    words = ("classifier", "classifier_version", "classifier_digest", "segmenter", "segmenter_version")
    return Result(
        job_id=job_id,
        digest="d",
        threshold=0.5,
        slice_policy="none",
        lung_volume_ml=4000.0,
        segmenter_digest="s",
        seconds=1.0,
        **dict.fromkeys(words, "x"),
    )
