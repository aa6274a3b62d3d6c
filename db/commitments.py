"""Requests for storage commitment: what was asked of whom, and what came of it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from db.models import Commitment, CommitmentItem, CommitmentState, Delivery
from db.session import Session


def ask(
    session: Session, transaction_uid: str, destination: str, asked: Sequence[Delivery], *, now: datetime
) -> None:
    """Note a request before it is sent, since its report may come first; what was asked before is asked anew."""
    _give_up_earlier(session, asked)
    session.add(
        Commitment(
            transaction_uid=transaction_uid,
            destination=destination,
            state=CommitmentState.ASKED,
            asked_at=now,
        )
    )
    session.flush()
    session.add_all(CommitmentItem(transaction_uid=transaction_uid, delivery_id=d.id) for d in asked)


def _give_up_earlier(session: Session, asked: Sequence[Delivery]) -> None:
    earlier = select(CommitmentItem.transaction_uid).where(
        CommitmentItem.delivery_id.in_([d.id for d in asked])
    )
    session.execute(
        update(Commitment)
        .where(Commitment.transaction_uid.in_(earlier), Commitment.state == CommitmentState.ASKED)
        .values(state=CommitmentState.UNANSWERED, answer="asked anew")
    )


def find(session: Session, transaction_uid: str) -> Commitment | None:
    return session.get(Commitment, transaction_uid)


def lock(session: Session, commitment: Commitment) -> None:
    """Read it afresh, unchanged by others until the transaction ends; after its jobs and deliveries are locked."""
    session.refresh(commitment, with_for_update=True)


def deliveries_of(session: Session, commitment: Commitment) -> Sequence[Delivery]:
    """The deliveries it was asked for, as this session knows them."""
    query = (
        select(Delivery)
        .join(CommitmentItem, CommitmentItem.delivery_id == Delivery.id)
        .where(CommitmentItem.transaction_uid == commitment.transaction_uid)
        .order_by(Delivery.id)
    )
    return session.scalars(query).all()


def overtaken(session: Session, commitment: Commitment) -> set[int]:
    """The numbers of its deliveries that a later request has been answered about: what it says of them is old."""
    own = select(CommitmentItem.delivery_id).where(
        CommitmentItem.transaction_uid == commitment.transaction_uid
    )
    query = (
        select(CommitmentItem.delivery_id)
        .join(Commitment, Commitment.transaction_uid == CommitmentItem.transaction_uid)
        .where(CommitmentItem.delivery_id.in_(own), Commitment.state == CommitmentState.ANSWERED)
        .where(Commitment.asked_at > commitment.asked_at)
    )
    return set(session.scalars(query))


def answered(commitment: Commitment, *, now: datetime, answer: str) -> None:
    commitment.state = CommitmentState.ANSWERED
    commitment.answered_at = now
    commitment.answer = answer


def not_taken(commitment: Commitment, *, answer: str) -> None:
    """The request itself met with a refusal or reached nobody; a report on it still counts."""
    if commitment.state is CommitmentState.ASKED:
        commitment.state = CommitmentState.UNANSWERED
        commitment.answer = answer
