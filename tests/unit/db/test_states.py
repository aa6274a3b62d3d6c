"""The table of states, as a table."""

import pytest

from db.states import SETTLED, TRANSITIONS, Event, IllegalTransition, State, next_state


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_pair_is_in_the_table_or_refused(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=state):
            next_state(state, event)


def _reachable(start: State) -> set[State]:
    seen, ahead = {start}, [start]
    while ahead:
        here = ahead.pop()
        for (before, _), after in TRANSITIONS.items():
            if before is here and after not in seen:
                seen.add(after)
                ahead.append(after)
    return seen


def test_every_state_is_reached_from_the_first() -> None:
    assert _reachable(State.RECEIVING) == set(State)


@pytest.mark.parametrize("state", State)
def test_an_end_is_reached_from_every_state(state: State) -> None:
    assert _reachable(state) & SETTLED


def test_every_event_happens_somewhere() -> None:
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_only_a_person_moves_a_settled_job() -> None:
    asked = {
        Event.ANALYSIS_RETRIED, Event.DELIVERY_RETRIED, Event.RECONSIDERED, Event.WITHDRAWAL_ASKED,
        Event.WITHDRAWAL_RETRIED,
    }  # fmt: skip
    assert {event for state, event in TRANSITIONS if state in SETTLED} == asked
