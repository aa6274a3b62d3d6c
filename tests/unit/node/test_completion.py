"""The verdict on a study: what has come, what the archive has, where slices lie."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Archive, Completion
from dicom_out.query import ArchivedSeries
from inference.phantom import chest, write_study
from node.completion import Completeness, is_settled, verdict
from node.gaps import gaps
from node.headers import Header, read_headers

RULES = Completion(
    quiet_period_s=60, incomplete_wait_s=600, archive=Archive(ae_title="PACS", host="pacs", port=104)
)
COUNTS = st.dictionaries(st.sampled_from(["1.1", "1.2", "1.3", "1.4", "1.5"]), st.integers(1, 400))


def _archive(counts: dict[str, int]) -> list[ArchivedSeries]:
    return [ArchivedSeries(uid, n) for uid, n in counts.items()]


@pytest.mark.parametrize(
    ("received", "archived", "gap", "completeness", "wait_s", "words"),
    [
        ({"1.1": 120}, {"1.1": 120}, {}, Completeness.COMPLETE, 0, ""),
        ({"1.1": 40}, {"1.1": 120}, {}, Completeness.INCOMPLETE, 600, "series 1.1: 40 of 120 instances at the archive"),
        ({"1.1": 40}, {"1.1": 40, "1.2": 120}, {}, Completeness.INCOMPLETE, 60, "series 1.2: 0 of 120"),
        ({"1.1": 40}, {"1.1": 50, "1.2": 120}, {}, Completeness.INCOMPLETE, 600, "series 1.1: 40 of 50"),
        ({"1.1": 40}, {"1.1": 30}, {}, Completeness.UNCONFIRMED, 60, "40 instances here, 30 at the archive"),
        ({"1.1": 40}, {}, {}, Completeness.UNCONFIRMED, 60, "40 instances here, 0 at the archive"),
        ({"1.1": 40}, None, {}, Completeness.UNCONFIRMED, 60, "the archive does not answer"),
        ({"1.1": 9}, {"1.1": 9}, {"1.1": "1 slices"}, Completeness.INCOMPLETE, 600, "series 1.1: 1 slices"),
    ],
)  # fmt: skip
def test_the_verdict(
    received: dict[str, int],
    archived: dict[str, int] | None,
    gap: dict[str, str],
    completeness: Completeness,
    wait_s: float,
    words: str,
) -> None:
    found = verdict(RULES, received, None if archived is None else _archive(archived), gap)
    assert (found.completeness, found.wait_s) == (completeness, wait_s)
    assert words in found.missing
    assert bool(words) == bool(found.missing)


def test_without_an_archive_nothing_is_said_against_a_study() -> None:
    found = verdict(Completion(), {"1.1": 40}, None, {})
    assert (found.in_words, found.wait_s) == ("unconfirmed", 60)


def test_of_many_series_three_are_named() -> None:
    found = verdict(RULES, {"1.1": 1}, _archive({f"1.{n}": 9 for n in range(1, 8)}), {})
    assert found.missing.count("of 9 instances") == 3
    assert found.missing.endswith("; 4 more series")


def test_no_study_waits_shorter_for_missing_images_than_for_none() -> None:
    hasty = RULES.model_copy(update={"incomplete_wait_s": 0.0})
    assert verdict(hasty, {"1.1": 1}, _archive({"1.1": 2}), {}).wait_s == 60


@given(COUNTS, COUNTS)
def test_only_a_study_that_lacks_nothing_is_complete(
    received: dict[str, int], archived: dict[str, int]
) -> None:
    found = verdict(RULES, received, _archive(archived), {})
    assert (found.completeness is Completeness.COMPLETE) == (received == archived)
    short = any(received.get(uid, 0) < n for uid, n in archived.items())
    assert (found.completeness is Completeness.INCOMPLETE) == short


@pytest.mark.parametrize(("released_s", "silence_s"), [(None, 1.5), (-1.0, 1.5), (0.0, 1.0), (0.1, 1.0)])
def test_the_archive_is_asked_after_a_second_of_silence_or_longer_while_the_association_is_open(
    now: datetime, released_s: float | None, silence_s: float
) -> None:
    released_at = None if released_s is None else now + timedelta(seconds=released_s)
    settled = partial(is_settled, RULES, last_received_at=now, released_at=released_at)
    assert not settled(now=now + timedelta(seconds=silence_s - 0.1))
    assert settled(now=now + timedelta(seconds=silence_s))


def test_a_quiet_period_below_a_second_is_kept_to_with_an_archive(now: datetime) -> None:
    settled = partial(is_settled, RULES.model_copy(update={"quiet_period_s": 0.5}), released_at=None)
    assert not settled(last_received_at=now, now=now + timedelta(seconds=0.4))
    assert settled(last_received_at=now, now=now + timedelta(seconds=0.5))


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> list[Header]:
    phantom = chest(seed=3, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=15.0)
    return read_headers(write_study(phantom, tmp_path_factory.mktemp("slices")))


def _height(header: Header) -> float:
    assert header.position_mm is not None
    return header.position_mm[2]


def test_a_whole_series_has_no_gaps(slices: list[Header]) -> None:
    assert gaps(slices) == {}
    assert gaps([]) == {}
    assert gaps([*slices, *slices]) == {}


@given(st.data())
def test_a_gap_is_named_by_the_slices_beside_it(slices: list[Header], data: st.DataObject) -> None:
    stack = sorted(slices, key=_height)
    first = data.draw(st.integers(1, len(stack) - 4))
    count = data.draw(st.integers(1, 2))
    rest = data.draw(st.permutations(stack[:first] + stack[first + count :]))
    ((uid, words),) = gaps(rest).items()
    low, high = _height(stack[first - 1]), _height(stack[first + count])
    assert uid == stack[0].series_instance_uid
    assert words == f"{count} slices are missing between {low:.1f} and {high:.1f} mm"


def test_a_series_that_cannot_be_judged_has_no_gaps(slices: list[Header]) -> None:
    stack = sorted(slices, key=_height)
    pierced = [*stack[:3], *stack[6:]]
    assert gaps(pierced) != {}
    assert gaps([replace(pierced[0], position_mm=None), *pierced[1:]]) == {}
    assert gaps([replace(pierced[0], row_direction=(0.0, 1.0, 0.0)), *pierced[1:]]) == {}
    assert gaps([replace(s, row_direction=None) for s in pierced]) == {}
    assert gaps([replace(s, row_direction=(5.0, 0.0, 0.0), path=Path()) for s in pierced]) == {}
    assert gaps(stack[:2]) == {}
