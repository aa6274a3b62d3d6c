"""What was refused and may matter: its bytes, why, and who sent it, until it is too old or too much."""

import hashlib
import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console

from config.settings import Quarantine, Settings
from db import quarantine
from db.models import Quarantined
from db.session import DatabaseUnusable, Session, Sessions, translated
from node.identification import NotStorable
from node.interventions import CannotIntervene
from node.receive import Arrival, Reception
from node.recorder import Recorder
from node.spool import SpoolFile

log = logging.getLogger(__name__)

_UNFINISHED = timedelta(hours=1)
"""A file without a row is younger than this while it is being put aside."""


def put_aside(
    file: SpoolFile, arrival: Arrival, reason: str, settings: Settings, sessions: Sessions, *, now: datetime
) -> None:
    """Keep the file of what was refused, durably. Where that fails the log says so: the sender still has the object."""
    facts = {"sender": arrival.calling_ae_title, "sop_instance_uid": arrival.sop_instance_uid}
    if file.size > settings.quarantine.maximum_bytes:
        log.warning("not quarantined", extra={**facts, "reason": f"{file.size} bytes are too many"})
        file.drop()
        return
    refused = Quarantined(
        sha256=file.sha256,
        size_bytes=file.size,
        sop_class_uid=arrival.sop_class_uid,
        sop_instance_uid=arrival.sop_instance_uid,
        calling_ae_title=arrival.calling_ae_title,
        reason=reason,
        times=1,
        received_at=now,
        last_received_at=now,
    )
    try:
        with translated(), sessions.begin() as session:
            quarantine.lock(session)
            file.place(file_of(refused, settings))
            quarantine.note(session, refused)
            session.flush()
            _drop_surplus(session, settings, now=now)
    except (OSError, DatabaseUnusable) as error:
        if not file.is_placed:
            file.drop()
        log.error(
            "not quarantined", extra={**facts, "reason": getattr(error, "strerror", None) or str(error)}
        )


def file_of(refused: Quarantined, settings: Settings) -> Path:
    """Its place; nothing that a sender chose is part of it."""
    return settings.storage.quarantine / f"{refused.sha256}.dcm"


def prune(settings: Settings, sessions: Sessions, *, now: datetime) -> None:
    """Drop what is too old or too much, and files that belong to no row, since a process ended between the two."""
    with translated(), sessions.begin() as session:
        quarantine.lock(session)
        _drop_surplus(session, settings, now=now)
        session.flush()
        kept = {file_of(refused, settings) for refused in quarantine.every(session)}
    for path in settings.storage.quarantine.glob("*"):
        if path not in kept and path.stat().st_mtime < (now - _UNFINISHED).timestamp():
            path.unlink(missing_ok=True)


def _drop_surplus(session: Session, settings: Settings, *, now: datetime) -> None:
    """The file goes while the row is locked, so that the same content is not put aside in between."""
    for refused in surplus(quarantine.every(session), settings.quarantine, now=now):
        file_of(refused, settings).unlink(missing_ok=True)
        quarantine.forget(session, refused)
        facts = {"sop_instance_uid": refused.sop_instance_uid, "sender": refused.calling_ae_title}
        log.info("quarantined object dropped", extra=facts)


def surplus(kept: Sequence[Quarantined], rules: Quarantine, *, now: datetime) -> list[Quarantined]:
    """Those to drop, of all that are kept in the order in which they came last: too old, or too much together."""
    too_old = now - timedelta(days=rules.maximum_age_days)
    size = sum(refused.size_bytes for refused in kept)
    dropped = []
    for refused in kept:
        if refused.last_received_at >= too_old and size <= rules.maximum_bytes:
            break
        dropped.append(refused)
        size -= refused.size_bytes
    return dropped


def release(settings: Settings, sessions: Sessions, number: int, *, now: datetime) -> None:
    """Try to take it in again, as it came; what is taken in leaves the quarantine. Raises CannotIntervene."""
    refused = _numbered(sessions, number)
    reception = Reception(
        settings.storage, Recorder(sessions, lambda: now), lambda file, *_: file.drop(), lambda: now
    )
    path = file_of(refused, settings)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CannotIntervene(f"object {number}: {path}: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != refused.sha256:
        raise CannotIntervene(f"object {number}: {path} is not what was put there")
    arrival = Arrival(refused.calling_ae_title, refused.sop_class_uid, refused.sop_instance_uid)
    try:
        reception.receive(content, arrival)
    except NotStorable as error:
        raise CannotIntervene(f"object {number} is refused again: {error}") from None
    with translated(), sessions.begin() as session:
        quarantine.forget(session, refused)
    path.unlink(missing_ok=True)


def print_all(settings: Settings, sessions: Sessions, screen: Console, *, as_json: bool) -> None:
    with sessions() as session:
        every = quarantine.every(session)
    if as_json:
        screen.print_json(json.dumps([_row(refused, settings) for refused in every]))
        return
    for refused in every:
        at = f"{refused.last_received_at:%Y-%m-%d %H:%M:%S}"
        sender, uid = _printable(refused.calling_ae_title), _printable(refused.sop_instance_uid)
        screen.print(f"object {refused.id}  {at}  from {sender}  {refused.size_bytes} bytes  {uid}")
        screen.print(f"  {_printable(refused.reason)}")
    if not every:
        screen.print("nothing is in quarantine")


def print_one(settings: Settings, sessions: Sessions, screen: Console, number: int, *, as_json: bool) -> None:
    """Every fact about one object, and where its bytes lie."""
    row = _row(_numbered(sessions, number), settings)
    if as_json:
        screen.print_json(json.dumps(row))
        return
    for name, value in row.items():
        screen.print(f"{name:17} {_printable(str(value))}")


def _numbered(sessions: Sessions, number: int) -> Quarantined:
    with sessions() as session:
        refused = quarantine.numbered(session, number)
    if refused is None:
        raise CannotIntervene(f"there is no object {number} in quarantine")
    return refused


def _row(refused: Quarantined, settings: Settings) -> dict[str, object]:
    return {
        "object": refused.id,
        "reason": refused.reason,
        "sender": refused.calling_ae_title,
        "sop_class_uid": refused.sop_class_uid,
        "sop_instance_uid": refused.sop_instance_uid,
        "size_bytes": refused.size_bytes,
        "times": refused.times,
        "received_at": refused.received_at.isoformat(timespec="milliseconds"),
        "last_received_at": refused.last_received_at.isoformat(timespec="milliseconds"),
        "sha256": refused.sha256,
        "file": str(file_of(refused, settings)),
    }


def _printable(text: str) -> str:
    """A terminal is not to obey what a sender wrote into a UID."""
    return "".join(c if c.isprintable() else "?" for c in text)
