"""What leaves the node and when, by configuration. Pure."""

from collections.abc import Collection
from dataclasses import replace

from config.settings import Delivery, Release, ReleaseLevel, ReleaseTime
from db.states import Event
from inference.findings import Analysis, SlicePolicy

SHADOW = "shadow mode (release.shadow): results stay here and nothing is sent"


def level(rules: Release, policy: SlicePolicy) -> ReleaseLevel:
    if rules.shadow:
        return ReleaseLevel.SHADOW
    match policy:
        case SlicePolicy.ANNOTATED:
            return rules.annotated
        case SlicePolicy.AUTOMATIC:
            return rules.automatic
        case SlicePolicy.NONE:
            return rules.none


def released(rules: Release, analysis: Analysis) -> Analysis:
    """The analysis as the result objects may show it: never with a candidate's score."""
    shown = replace(analysis, candidate=None)
    if level(rules, analysis.slice_policy) is ReleaseLevel.CANDIDATES:
        return shown.without_score()
    return shown


def recipients(rules: Delivery, senders: Collection[str]) -> list[str]:
    """The names of the destinations of a study that these AE titles sent."""
    return [d.name for d in rules.destinations if not d.senders or not set(d.senders).isdisjoint(senders)]


def next_event(rules: Release, policy: SlicePolicy, *, leaves: bool) -> Event:
    """What happens to a job whose results have just been stored; `leaves`: they have somewhere to go."""
    if not leaves or level(rules, policy) is ReleaseLevel.SHADOW:
        return Event.RESULTS_KEPT
    match rules.when:
        case ReleaseTime.AT_ONCE:
            return Event.RESULTS_STORED
        case ReleaseTime.ANNOTATED if policy is SlicePolicy.ANNOTATED:
            return Event.RESULTS_STORED
        case ReleaseTime.ANNOTATED | ReleaseTime.MANUAL:
            return Event.RESULTS_HELD
