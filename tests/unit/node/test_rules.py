"""Completion, release and retry: facts in, a decision out."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from config.settings import Completion, Delivery, Destination, Release, ReleaseLevel, ReleaseTime
from db.states import Event
from inference.findings import Candidate, SlicePolicy
from node.completion import is_settled, verdict
from node.release import level, next_event, recipients, released
from node.retry import LIMITS, OTHERWISE, resend_after, retry_after
from tests.analyses import analysis_of, ct_headers


def test_a_study_is_complete_after_the_quiet_period(now: datetime) -> None:
    rules = Completion(quiet_period_s=10)
    unconfirmed = verdict(rules, {"1.2": 20}, None, {})
    for seconds, over in ((9.9, False), (10, True)):
        then = now + timedelta(seconds=seconds)
        assert is_settled(rules, last_received_at=now, released_at=now, now=then) is over
        assert unconfirmed.starts(now, then) is over


@pytest.mark.parametrize("policy", SlicePolicy)
def test_each_slice_policy_has_its_release_level(policy: SlicePolicy) -> None:
    rules = Release.model_validate({policy.value: ReleaseLevel.SHADOW})
    assert level(rules, policy) is ReleaseLevel.SHADOW
    assert next_event(rules, policy, leaves=True) is Event.RESULTS_KEPT


@pytest.mark.parametrize("policy", SlicePolicy)
@pytest.mark.parametrize("when", ReleaseTime)
def test_in_shadow_mode_nothing_leaves_whatever_the_rest_says(policy: SlicePolicy, when: ReleaseTime) -> None:
    rules = Release(shadow=True, when=when)
    assert level(rules, policy) is ReleaseLevel.SHADOW
    assert next_event(rules, policy, leaves=True) is Event.RESULTS_KEPT


def test_no_object_is_made_from_a_candidates_score() -> None:
    plain = analysis_of(ct_headers(rows=64, columns=64))
    candidate = Candidate(plain.classifier, threshold=0.5, probability=0.7)
    for rules in (Release(), Release(shadow=True), Release(automatic=ReleaseLevel.CANDIDATES)):
        shown = released(rules, replace(plain, candidate=candidate))
        assert shown == released(rules, plain)
        assert shown.candidate is None


@pytest.mark.parametrize(
    ("when", "policy", "event"),
    [
        (ReleaseTime.AT_ONCE, SlicePolicy.AUTOMATIC, Event.RESULTS_STORED),
        (ReleaseTime.ANNOTATED, SlicePolicy.AUTOMATIC, Event.RESULTS_HELD),
        (ReleaseTime.ANNOTATED, SlicePolicy.ANNOTATED, Event.RESULTS_STORED),
        (ReleaseTime.MANUAL, SlicePolicy.ANNOTATED, Event.RESULTS_HELD),
    ],
)
def test_results_leave_when_the_rules_say(when: ReleaseTime, policy: SlicePolicy, event: Event) -> None:
    assert next_event(Release(when=when), policy, leaves=True) is event


def test_without_a_destination_results_stay() -> None:
    assert next_event(Release(), SlicePolicy.AUTOMATIC, leaves=False) is Event.RESULTS_KEPT


@pytest.mark.parametrize(("kind", "limit"), [*LIMITS.items(), (RuntimeError, OTHERWISE)])
def test_an_analysis_is_tried_as_often_as_its_failure_deserves(kind: type[Exception], limit: int) -> None:
    waits = [retry_after(kind, attempts) for attempts in range(1, limit + 1)]
    assert None not in waits[:-1]
    assert waits[-1] is None


def test_a_delivery_is_tried_for_ever_at_growing_intervals() -> None:
    rules = Delivery(first_retry_s=30, longest_retry_s=3600)
    waits = [resend_after(rules, attempts, chance=0).total_seconds() for attempts in (1, 2, 3, 11, 10_000)]
    assert waits == [30, 60, 120, 3600, 3600]


def test_what_failed_together_does_not_come_back_together() -> None:
    rules = Delivery(first_retry_s=30)
    drawn = {resend_after(rules, 1).total_seconds() for _ in range(100)}
    assert len(drawn) > 1
    assert min(drawn) >= 15
    assert max(drawn) <= 30


def test_a_study_goes_to_those_who_take_its_sender() -> None:
    rules = Delivery(
        destinations=tuple(
            Destination(name=name, ae_title=name, host="h", port=104, senders=senders)
            for name, senders in (("all", ()), ("north", ("PACS_N", "CT_N")), ("south", ("PACS_S",)))
        )
    )
    assert recipients(rules, {"CT_N"}) == ["all", "north"]
    assert recipients(rules, {"PACS_N", "PACS_S"}) == ["all", "north", "south"]
    assert recipients(rules, {"OTHER"}) == ["all"]
