"""How often C-STORE was refused, by status: counted for the metrics, across processes and restarts."""

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from db.models import Refusal
from db.session import Sessions


def count(sessions: Sessions, status: int) -> None:
    if _counted(sessions, status):
        return
    try:
        with sessions.begin() as session:
            session.add(Refusal(status=status, times=1))
    except IntegrityError:  # its first refusal came twice at the same moment
        _counted(sessions, status)


def _counted(sessions: Sessions, status: int) -> bool:
    query = update(Refusal).where(Refusal.status == status).values(times=Refusal.times + 1)
    with sessions.begin() as session:
        return session.scalars(query.returning(Refusal.times)).one_or_none() is not None
