"""What the objects of a stored result are named by."""

from importlib.metadata import version

from db import results
from db.models import Job
from db.session import Session, installation_id
from dicom_out.identity import Provenance, ResultName


class NoResult(LookupError):
    """The job has no result that anything could be named by."""


def name_of(session: Session, job: Job) -> ResultName:
    result = results.of_job(session, job)
    if result is None or job.series_instance_uid is None:
        raise NoResult(f"job {job.id} has no result")
    provenance = Provenance(
        installation_id=installation_id(session),
        generation=job.generation,
        result_digest=result.digest,
        at=job.completed_at or job.created_at,
        software_version=version("sedas-node"),
    )
    return ResultName(job.study_instance_uid, job.series_instance_uid, provenance)
