"""The life of a job as a table. What is not in `TRANSITIONS` cannot happen; read this first."""

from enum import StrEnum


class State(StrEnum):
    RECEIVING = "RECEIVING"  # images of the study are still arriving
    QUEUED = "QUEUED"  # complete and eligible, waits for a worker
    RUNNING = "RUNNING"  # a worker holds the lease
    HELD = "HELD"  # analysed; the release policy keeps the results here
    DELIVERING = "DELIVERING"  # results are in the outbox, on their way
    COMMITTING = "COMMITTING"  # all sent; a destination has yet to commit to keeping them
    DONE = "DONE"
    WITHDRAWING = "WITHDRAWING"  # rejection notes are on their way
    WITHDRAWN = "WITHDRAWN"  # its results are declared void wherever they went
    REJECTED = "REJECTED"  # not ours to analyse; the reason is in the job
    FAILED = "FAILED"  # needs a person; the reason is in the job
    SUPERSEDED = "SUPERSEDED"  # a newer generation of the study took over first


class Event(StrEnum):
    STUDY_COMPLETE = "study complete"
    NOT_ELIGIBLE = "not eligible"
    IMAGE_ARRIVED = "image arrived"
    CLAIMED = "claimed"
    LEASE_LOST = "lease lost"
    ATTEMPT_FAILED = "attempt failed"
    GAVE_UP = "gave up"
    NOT_ANALYSABLE = "not analysable"
    RESULTS_STORED = "results stored"
    RESULTS_HELD = "results held"
    RESULTS_KEPT = "results kept"
    RELEASED = "released"
    NEWER_GENERATION = "newer generation"
    SENT = "sent"
    NOT_COMMITTED = "not committed"
    DELIVERED = "delivered"
    DELIVERY_REFUSED = "delivery refused"
    WITHDRAWAL_ASKED = "withdrawal asked"
    WITHDRAWAL_DELIVERED = "withdrawal delivered"
    WITHDRAWAL_REFUSED = "withdrawal refused"
    ANALYSIS_RETRIED = "analysis retried"
    DELIVERY_RETRIED = "delivery retried"
    WITHDRAWAL_RETRIED = "withdrawal retried"
    RECONSIDERED = "reconsidered"


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.RECEIVING, Event.STUDY_COMPLETE): State.QUEUED,
    (State.RECEIVING, Event.NOT_ELIGIBLE): State.REJECTED,
    (State.QUEUED, Event.IMAGE_ARRIVED): State.RECEIVING,
    (State.QUEUED, Event.CLAIMED): State.RUNNING,
    (State.RUNNING, Event.LEASE_LOST): State.QUEUED,
    (State.RUNNING, Event.ATTEMPT_FAILED): State.QUEUED,
    (State.RUNNING, Event.GAVE_UP): State.FAILED,
    (State.RUNNING, Event.NOT_ANALYSABLE): State.REJECTED,
    (State.RUNNING, Event.RESULTS_STORED): State.DELIVERING,
    (State.RUNNING, Event.RESULTS_HELD): State.HELD,
    (State.RUNNING, Event.RESULTS_KEPT): State.DONE,
    (State.HELD, Event.RELEASED): State.DELIVERING,
    (State.QUEUED, Event.NEWER_GENERATION): State.SUPERSEDED,
    (State.HELD, Event.NEWER_GENERATION): State.SUPERSEDED,
    (State.DELIVERING, Event.DELIVERED): State.DONE,
    (State.DELIVERING, Event.DELIVERY_REFUSED): State.FAILED,
    (State.DELIVERING, Event.SENT): State.COMMITTING,
    (State.COMMITTING, Event.NOT_COMMITTED): State.DELIVERING,
    (State.COMMITTING, Event.DELIVERED): State.DONE,
    (State.COMMITTING, Event.DELIVERY_REFUSED): State.FAILED,
    **{
        (state, Event.WITHDRAWAL_ASKED): State.WITHDRAWING
        for state in (State.HELD, State.DELIVERING, State.COMMITTING, State.DONE, State.FAILED)
    },
    (State.WITHDRAWING, Event.WITHDRAWAL_DELIVERED): State.WITHDRAWN,
    (State.WITHDRAWING, Event.WITHDRAWAL_REFUSED): State.FAILED,
    (State.FAILED, Event.ANALYSIS_RETRIED): State.QUEUED,
    (State.FAILED, Event.DELIVERY_RETRIED): State.DELIVERING,
    (State.FAILED, Event.WITHDRAWAL_RETRIED): State.WITHDRAWING,
    (State.REJECTED, Event.RECONSIDERED): State.RECEIVING,
}

SETTLED = frozenset({State.DONE, State.WITHDRAWN, State.REJECTED, State.FAILED, State.SUPERSEDED})
"""Nothing more happens to such a job unless a person asks for it."""


class IllegalTransition(Exception):
    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event} cannot happen to a job that is {state}")


def next_state(state: State, event: Event) -> State:
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None
