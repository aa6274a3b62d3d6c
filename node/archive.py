"""Asking the archive how much it has of a study: rarely, and never for long.

A study is asked about once nothing has come for a second, or a little longer while its sender keeps the association,
again when more has come, and else after 5 s, 10 s, 20 s and so on to a minute. An archive that fails is left alone for 30 s,
60 s and so on to ten minutes, and one that takes longer than a second rests as long: no tick waits for more than one
failure, five times its timeout.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from config.settings import Settings
from dicom_out.query import ArchivedSeries, NoCounts, ct_series
from node.classes import CT_CLASSES
from node.tls import archive_peer

log = logging.getLogger(__name__)

Answer = tuple[ArchivedSeries, ...]
Ask = Callable[[str, Mapping[str, int]], Answer]
"""Takes a study and the number of images received of each of its series; raises NoCounts."""

_AGAIN_S, _LONGEST_AGAIN_S = 5.0, 60.0
_AWAY_S, _LONGEST_AWAY_S = 30.0, 600.0
_SLOW_S = 1.0


def asking(settings: Settings) -> Ask | None:
    """The archive of the settings, if there is one. Raises BadConfig."""
    archive = settings.completion.archive
    if archive is None:
        return None
    return partial(
        ct_series,
        taken=CT_CLASSES,
        peer=archive_peer(archive),
        calling_ae_title=settings.listener.ae_title,
        timeout_s=archive.timeout_s,
    )


@dataclass(frozen=True)
class _Known:
    """What is known of a study as long as no more of it has come."""

    received: Mapping[str, int]
    answer: Answer | None = None
    asked: int = 0
    next_at: datetime | None = None
    gaps: Mapping[str, str] = field(default_factory=dict)


class Archive:
    """Remembers what was asked of which study; without `ask` there is no archive."""

    def __init__(self, ask: Ask | None = None) -> None:
        self._ask = ask
        self._known: dict[str, _Known] = {}
        self._failures = 0
        self._rests_until: datetime | None = None

    def of_study(self, study: str, received: Mapping[str, int], *, now: datetime) -> Answer | None:
        """Its CT series: the newest answer about just these images, asked for now if it is time to."""
        known = self._of(study, received)
        if self._ask is None or self._rests(now) or (known.next_at is not None and now < known.next_at):
            return known.answer
        answer = self._asked(self._ask, study, received, now)
        wait_s = min(_AGAIN_S * 2**known.asked, _LONGEST_AGAIN_S)
        known = replace(known, asked=known.asked + 1, next_at=now + timedelta(seconds=wait_s))
        self._known[study] = known = known if answer is None else replace(known, answer=answer)
        return known.answer

    def gaps(self, study: str, received: Mapping[str, int]) -> Mapping[str, str]:
        """Those noted for just these images."""
        return self._of(study, received).gaps

    def note_gaps(self, study: str, received: Mapping[str, int], gaps: Mapping[str, str]) -> None:
        self._known[study] = replace(self._of(study, received), gaps=gaps)

    def forget_others(self, studies: Collection[str]) -> None:
        self._known = {study: known for study, known in self._known.items() if study in studies}

    def _of(self, study: str, received: Mapping[str, int]) -> _Known:
        known = self._known.get(study)
        return known if known is not None and known.received == received else _Known(received)

    def _rests(self, now: datetime) -> bool:
        return self._rests_until is not None and now < self._rests_until

    def _asked(self, ask: Ask, study: str, received: Mapping[str, int], now: datetime) -> Answer | None:
        started = time.monotonic()
        try:
            answer = ask(study, received)
        except NoCounts as error:
            wait_s = min(_AWAY_S * 2**self._failures, _LONGEST_AWAY_S)
            self._rests_until = now + timedelta(seconds=wait_s)
            if not self._failures:
                log.warning("archive does not answer", extra={"reason": str(error)})
            self._failures = min(self._failures + 1, 10)
            return None
        if self._failures:
            log.info("archive answers again")
        self._failures = 0
        took_s = time.monotonic() - started
        self._rests_until = now + timedelta(seconds=took_s) if took_s > _SLOW_S else None
        return answer
