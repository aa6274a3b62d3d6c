"""Received objects: added once each, found by study."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import Enum, auto

from sqlalchemy import (
    BindParameter,
    CompoundSelect,
    Connection,
    bindparam,
    func,
    insert,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import IntegrityError

from db.jobs import LostRace
from db.models import FormerRevision, Instance, ResultObject
from db.session import Session

_COLUMNS = (
    "sop_instance_uid", "sop_class_uid", "study_instance_uid", "series_instance_uid", "sha256", "size_bytes", "path",
    "calling_ae_title", "received_at",
)  # fmt: skip


# Made once: a hospital sends a hundred objects in a second, and making a statement takes longer than SQLite does.
_ADDED = insert(Instance)
_UIDS: BindParameter[str] = bindparam("uids", expanding=True)
_KNOWN: CompoundSelect[str, str | None] = union_all(
    select(Instance.sop_instance_uid, Instance.sha256).where(Instance.sop_instance_uid.in_(_UIDS)),
    select(ResultObject.sop_instance_uid, null()).where(ResultObject.sop_instance_uid.in_(_UIDS)),
)


class AlreadyKnown(Exception):
    """An object with one of these SOP Instance UIDs was added meanwhile."""


class Standing(Enum):
    """What an object that comes is to us."""

    NEW = auto()
    HERE = auto()  # with this very content
    OTHER = auto()  # its UID is here with other content
    OURS = auto()  # a PACS that routes everything sends our own results back


def add(connection: Connection, new: Sequence[Instance]) -> None:
    """Make rows of them, all or none. Raises AlreadyKnown."""
    try:
        connection.execute(_ADDED, [_values(instance) for instance in new])
    except IntegrityError as error:
        raise AlreadyKnown(f"one of {len(new)}") from error


def standings(session: Session, arrived: Sequence[Instance]) -> list[Standing]:
    """What each is to us, in their order; of two with the same UID the first comes first."""
    rows = session.connection().execute(_KNOWN, {"uids": [i.sop_instance_uid for i in arrived]})
    contents: dict[str, str | None] = dict(iter(rows))  # None for an object of ours
    found = []
    for instance in arrived:
        uid, digest = instance.sop_instance_uid, instance.sha256
        if uid not in contents:
            contents[uid] = digest
            found.append(Standing.NEW)
        elif contents[uid] is None:
            found.append(Standing.OURS)
        else:
            found.append(Standing.HERE if contents[uid] == digest else Standing.OTHER)
    return found


def _values(instance: Instance) -> dict[str, object]:
    return {name: getattr(instance, name) for name in _COLUMNS}


def revise(session: Session, known: Instance, revised: Instance, *, now: datetime) -> None:
    """Give the row of `known` the content of `revised`, and keep where the former content lies.

    Raises LostRace where the row has another content meanwhile.
    """
    changed = session.scalars(
        update(Instance)
        .where(Instance.id == known.id, Instance.sha256 == known.sha256)
        .values({**_values(revised), "deleted_at": None})
        .returning(Instance.id)
    ).one_or_none()
    if changed is None:
        raise LostRace("the object was revised at the same moment")
    session.add(
        FormerRevision(
            instance_id=known.id,
            sha256=known.sha256,
            size_bytes=known.size_bytes,
            path=known.path,
            calling_ae_title=known.calling_ae_title,
            received_at=known.received_at,
            replaced_at=now,
        )
    )


def known(session: Session, sop_instance_uid: str) -> Instance | None:
    query = select(Instance).where(Instance.sop_instance_uid == sop_instance_uid)
    return session.scalars(query).one_or_none()


def of_study(session: Session, study_instance_uid: str) -> Sequence[Instance]:
    query = select(Instance).where(Instance.study_instance_uid == study_instance_uid)
    return session.scalars(query.order_by(Instance.id)).all()


def last_received_from(session: Session, calling_ae_titles: Collection[str]) -> datetime | None:
    """When the last object came from one of these senders."""
    query = select(func.max(Instance.received_at)).where(Instance.calling_ae_title.in_(calling_ae_titles))
    return session.scalars(query).one()


def last_received_at(session: Session, study_instance_uid: str) -> datetime | None:
    query = select(func.max(Instance.received_at)).where(Instance.study_instance_uid == study_instance_uid)
    return session.scalars(query).one()


def studies_on_disk(session: Session) -> Sequence[str]:
    """Of which there is an object whose file has not been deleted."""
    query = select(Instance.study_instance_uid).where(Instance.deleted_at.is_(None)).distinct()
    return session.scalars(query).all()


def on_disk(session: Session) -> Sequence[str]:
    """The paths, below the spool, of all objects whose file has not been deleted."""
    query = select(Instance.path).where(Instance.deleted_at.is_(None))
    return session.scalars(query.order_by(Instance.path)).all()


def paths_in(session: Session, folder: str) -> dict[str, bool]:
    """Of all objects, and of their former revisions, in that folder of the spool: is the object on the disk?"""
    first, after = f"{folder}/", f"{folder}0"  # the character after the slash
    is_on_disk = Instance.deleted_at.is_(None)
    own = select(Instance.path, is_on_disk).where(Instance.path >= first, Instance.path < after)
    former = (
        select(FormerRevision.path, is_on_disk)
        .join(Instance, Instance.id == FormerRevision.instance_id)
        .where(FormerRevision.path >= first, FormerRevision.path < after)
    )
    return {path: bool(on_disk) for query in (own, former) for path, on_disk in session.execute(query)}
