"""What leaves the node and when, by configuration. Pure."""

from config.settings import Release, ReleaseLevel, ReleaseTime
from db.states import Event
from inference.findings import Analysis, SlicePolicy


def level(rules: Release, policy: SlicePolicy) -> ReleaseLevel:
    match policy:
        case SlicePolicy.ANNOTATED:
            return rules.annotated
        case SlicePolicy.AUTOMATIC:
            return rules.automatic
        case SlicePolicy.NONE:
            return rules.none


def released(rules: Release, analysis: Analysis) -> Analysis:
    """The analysis as the result objects may show it."""
    if level(rules, analysis.slice_policy) is ReleaseLevel.CANDIDATES:
        return analysis.without_score()
    return analysis


def next_event(rules: Release, policy: SlicePolicy, *, destinations: int) -> Event:
    """What happens to a job whose results have just been stored."""
    if destinations == 0 or level(rules, policy) is ReleaseLevel.SHADOW:
        return Event.RESULTS_KEPT
    match rules.when:
        case ReleaseTime.AT_ONCE:
            return Event.RESULTS_STORED
        case ReleaseTime.ANNOTATED if policy is SlicePolicy.ANNOTATED:
            return Event.RESULTS_STORED
        case ReleaseTime.ANNOTATED | ReleaseTime.MANUAL:
            return Event.RESULTS_HELD
