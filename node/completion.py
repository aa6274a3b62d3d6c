"""Is a study complete? C-STORE itself never says: the archive may, and the places of the slices.

The end of an association says that its sender is done for now, not with what: perhaps with one of several series, which
follows on the next association. So silence is asked for after it too, only less of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from config.settings import Completion
from dicom_out.query import ArchivedSeries

_NAMED = 3  # series of which is said what is missing; of more their number
RELEASED_S = 1.0  # without an image, before the archive is asked, if the sender has released its association
SETTLED_S = 1.5  # if it has not; with two seconds for a tick and the answer a whole study starts within three


class Completeness(StrEnum):
    COMPLETE = "complete"  # the archive has no more of any CT series, and no slice is missing in one
    INCOMPLETE = "incomplete"
    UNCONFIRMED = "unconfirmed"  # nobody says that it is complete


@dataclass(frozen=True)
class Verdict:
    completeness: Completeness
    missing: str  # in words what there is less of, or why nobody says; empty where nothing is to be said
    wait_s: float  # after the last image, before the study is taken as it is

    @property
    def in_words(self) -> str:
        return f"{self.completeness}: {self.missing}" if self.missing else str(self.completeness)

    def starts(self, last_received_at: datetime, now: datetime) -> bool:
        return now - last_received_at >= timedelta(seconds=self.wait_s)


def is_settled(
    rules: Completion, *, last_received_at: datetime, released_at: datetime | None, now: datetime
) -> bool:
    """Has nothing come for so long that the study is worth a look?"""
    wait_s = rules.quiet_period_s
    if rules.archive is not None:
        is_released = released_at is not None and released_at >= last_received_at
        wait_s = min(RELEASED_S if is_released else SETTLED_S, wait_s)
    return now - last_received_at >= timedelta(seconds=wait_s)


def verdict(
    rules: Completion,
    received: Mapping[str, int],
    archived: Sequence[ArchivedSeries] | None,
    gaps: Mapping[str, str],
) -> Verdict:
    """Of the number of images `received` of each series, the archive's answer if any, and the `gaps` in series.

    A series that the archive has and that has nothing here is waited for during the quiet period only: it may
    be on its way, or never be sent to us.
    """
    quiet_s = rules.quiet_period_s
    if archived is None:
        why = "" if rules.archive is None else "study not confirmed as complete: the archive does not answer"
        return Verdict(Completeness.UNCONFIRMED, why, quiet_s)
    counts = {series.series_instance_uid: series.instances for series in archived}
    short = {uid: n for uid, n in counts.items() if received.get(uid, 0) < n}
    if short:
        waits = any(received.get(uid) for uid in short)
        missing = [
            f"series {uid}: {received.get(uid, 0)} of {n} instances at the archive"
            for uid, n in sorted(short.items(), key=lambda item: (not received.get(item[0]), item[0]))
        ]
        wait_s = max(rules.incomplete_wait_s, quiet_s) if waits else quiet_s
        return Verdict(Completeness.INCOMPLETE, _in_words("incomplete", missing), wait_s)
    if fewer := [uid for uid, n in sorted(received.items()) if counts.get(uid, 0) < n]:
        missing = [
            f"series {uid}: {received[uid]} instances here, {counts.get(uid, 0)} at the archive"
            for uid in fewer
        ]
        return Verdict(Completeness.UNCONFIRMED, _in_words("not confirmed as complete", missing), quiet_s)
    if gaps:
        missing = [f"series {uid}: {words}" for uid, words in sorted(gaps.items())]
        wait_s = max(rules.incomplete_wait_s, quiet_s)
        return Verdict(Completeness.INCOMPLETE, _in_words("incomplete", missing), wait_s)
    return Verdict(Completeness.COMPLETE, "", 0.0)


def _in_words(what: str, missing: Sequence[str]) -> str:
    more = [f"{len(missing) - _NAMED} more series"] if len(missing) > _NAMED else []
    return f"study {what}: " + "; ".join([*missing[:_NAMED], *more])
