"""At the start, before anything is received: the spool and the database say the same, or are made to.

A kill leaves a file without a row, which nobody was told is here: it is taken in now, if it is whole. Or it leaves files
whose rows say already that retention deleted them: they go now. A row without its file is a fault of the disk, or of a
person: it says so from now on, and the object is taken in when it is sent again.
"""

import hashlib
import logging
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from config.settings import Settings
from db import audit, instances, jobs, retention
from db.session import Sessions, translated
from node.headers import NotDicom, read_header
from node.identification import NotStorable
from node.receive import Arrival, Reception

log = logging.getLogger(__name__)

LOST = "files lost"
"""The audit event of rows whose files are not on the disk."""


def reconcile(settings: Settings, sessions: Sessions, reception: Reception, *, now: datetime) -> None:
    """Raises DatabaseUnusable, or OSError where the spool cannot be read."""
    storage = settings.storage
    for unfinished in storage.incoming.glob("*"):
        unfinished.unlink()
    for folder in sorted(path for path in storage.spool.glob("*") if path.is_dir()):
        _reconcile_folder(folder, sessions, reception, settings.listener.ae_title)
    with translated(), sessions() as session:
        studies = instances.studies_on_disk(session)
    for study in sorted(studies):
        _note_lost(study, storage.spool, sessions, now=now)


def _reconcile_folder(folder: Path, sessions: Sessions, reception: Reception, own_ae_title: str) -> None:
    with translated(), sessions() as session:
        known = instances.paths_in(session, folder.name)
    for path in sorted(folder.glob("*")):
        is_on_disk = known.get(f"{folder.name}/{path.name}")
        if is_on_disk is None:
            _adopt(path, reception, own_ae_title)
        elif not is_on_disk:
            path.unlink()
    with suppress(OSError):  # it is not empty
        folder.rmdir()


def _adopt(path: Path, reception: Reception, own_ae_title: str) -> None:
    """Take in a file that has no row; what is not whole was acknowledged to nobody, and goes."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        log.warning("unfinished file removed", extra={"file": path.name})
        path.unlink()
        return
    try:
        header = read_header(path)
        sender = Arrival(own_ae_title, header.sop_class_uid, header.sop_instance_uid)
        reception.receive(content, sender)
    except (NotDicom, NotStorable) as error:
        log.warning("file without a row refused", extra={"file": path.name, "reason": str(error)})
        path.unlink(missing_ok=True)
        return
    log.warning("file without a row taken in", extra={"sop_instance_uid": header.sop_instance_uid})


def _note_lost(study: str, spool: Path, sessions: Sessions, *, now: datetime) -> None:
    with translated(), sessions.begin() as session:
        lost = [i for i in retention.on_disk(session, study) if not (spool / i.path).exists()]
        if not lost:
            return
        for instance in lost:
            instance.deleted_at = now
        job = jobs.latest_generation(session, study)
        audit.note(session, job, LOST, now=now, detail=f"{len(lost)} objects of study {study}")
    log.error("files lost", extra={"study_instance_uid": study, "objects": len(lost)})
