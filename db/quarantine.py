"""Objects that were refused and kept for a person to look at: one row for each content."""

from collections.abc import Sequence

from sqlalchemy import select, text

from db.models import Quarantined
from db.session import Session


def lock(session: Session) -> None:
    """Nobody else adds or drops until the transaction ends: a row and its file come and go together."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer anyway
        session.execute(text("LOCK TABLE quarantine IN SHARE ROW EXCLUSIVE MODE"))


def note(session: Session, refused: Quarantined) -> None:
    """Add it; of content that is there already only the count, the reason and the last time change."""
    known = session.scalars(select(Quarantined).where(Quarantined.sha256 == refused.sha256)).one_or_none()
    if known is None:
        session.add(refused)
        return
    known.times += 1
    known.reason = refused.reason
    known.last_received_at = refused.last_received_at


def every(session: Session) -> Sequence[Quarantined]:
    """From the one that came longest ago to the one that came last."""
    return session.scalars(select(Quarantined).order_by(Quarantined.last_received_at, Quarantined.id)).all()


def numbered(session: Session, number: int) -> Quarantined | None:
    return session.get(Quarantined, number)


def forget(session: Session, refused: Quarantined) -> None:
    session.delete(refused)
