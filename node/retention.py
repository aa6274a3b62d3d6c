"""Deleting images that nothing needs: by age, and the oldest first where the disk runs low.

The rows of a study say that its images are deleted, then their files go: of those that have not come again meanwhile.
After a kill in between the files go at the next start.
"""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from config.settings import Retention, Settings
from db import audit, retention
from db.retention import Expendable
from db.session import Sessions, only_read, translated

log = logging.getLogger(__name__)

DELETED = "images deleted by retention"


@dataclass(frozen=True)
class Doomed:
    """A study whose images go, and why."""

    study: Expendable
    why: str


def delete_expendable(settings: Settings, sessions: Sessions, *, now: datetime) -> Sequence[Doomed]:
    """Delete what age or the disk asks for; gives what it deleted."""
    return [one for one in doomed(settings, sessions, now=now) if _delete(one, settings, sessions, now=now)]


def doomed(settings: Settings, sessions: Sessions, *, now: datetime) -> Sequence[Doomed]:
    """What would go now, and why."""
    free = shutil.disk_usage(settings.storage.folder).free
    with translated(), sessions() as session:
        only_read(session)
        studies = retention.expendable(session)
    return choose(studies, settings.retention, free_bytes=free, now=now)


def choose(
    studies: Sequence[Expendable], rules: Retention, *, free_bytes: int, now: datetime
) -> list[Doomed]:
    """Of the studies that may go, the oldest first: those that are too old, and as many as the disk needs."""
    too_old = now - timedelta(days=rules.images_days)
    chosen = []
    for study in studies:
        if study.since <= too_old:
            chosen.append(Doomed(study, f"ended more than {rules.images_days:g} days ago"))
        elif free_bytes < rules.minimum_free_bytes:
            chosen.append(
                Doomed(
                    study, f"{free_bytes} bytes free, retention.minimum_free_bytes {rules.minimum_free_bytes}"
                )
            )
        else:
            break
        free_bytes += study.size_bytes
    return chosen


def _delete(one: Doomed, settings: Settings, sessions: Sessions, *, now: datetime) -> bool:
    """False where the study has moved since it was looked at."""
    uid = one.study.study_instance_uid
    with translated(), sessions.begin() as session:
        job = retention.still_expendable(session, uid, since=one.study.since)
        images = retention.on_disk(session, uid)
        if job is None or not images or any(image.received_at > one.study.since for image in images):
            return False
        for image in images:
            image.deleted_at = now
        detail = f"{len(images)} images, {sum(i.size_bytes for i in images)} bytes: {one.why}"
        audit.note(session, job, DELETED, now=now, detail=detail)
    _remove_files(uid, settings.storage.spool, sessions)
    facts = {"study_instance_uid": uid, "images": len(images), "reason": one.why}
    log.info("images deleted", extra=facts)
    return True


def _remove_files(study_instance_uid: str, spool: Path, sessions: Sessions) -> None:
    """While the rows are locked, so that an image that comes again waits, and finds its file gone or not begun."""
    with translated(), sessions.begin() as session:
        images = retention.deleted(session, study_instance_uid)
        for path in (*(image.path for image in images), *retention.former_files(session, images)):
            (spool / path).unlink(missing_ok=True)


def print_doomed(every: Sequence[Doomed], screen: Console, *, done: bool) -> None:
    for one in every:
        study = one.study
        since = f"{study.since:%Y-%m-%d %H:%M:%S}"
        screen.print(f"study {study.study_instance_uid}  {study.images} images  {study.size_bytes} bytes")
        screen.print(f"  over since {since}; {one.why}")
    size = sum(one.study.size_bytes for one in every)
    screen.print(f"{'deleted' if done else 'would delete'}: {len(every)} studies, {size} bytes")
