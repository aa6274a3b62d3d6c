from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydicom.uid import UID, Comprehensive3DSRStorage

from dicom_out.identity import (
    IMPLEMENTATION_CLASS_UID,
    Kind,
    NaiveInstant,
    Predecessor,
    ResultName,
    derived_uid,
    device_uid,
    implementation_version_name,
    result_digest,
)
from inference.findings import AlgorithmIdentity
from tests.analyses import PROVENANCE

NAME = ResultName("1.2.3", "1.2.3.4", PROVENANCE)
ALGORITHM = AlgorithmIdentity("net", "1", "a" * 64)


def test_the_formula_never_changes() -> None:
    """A result that was sent before an update must keep its UID after it."""
    assert derived_uid("a", 1) == "2.25.219459219433759275619691863398906600778"


def test_the_same_facts_give_the_same_valid_uid() -> None:
    uid = NAME.uid("1.2", Kind.PICTURE, 3)
    assert uid == NAME.uid("1.2", Kind.PICTURE, 3)
    assert UID(uid).is_valid


@pytest.mark.parametrize(
    "other",
    [
        NAME.uid("1.2.9", Kind.PICTURE, 3),
        NAME.uid("1.2", Kind.REPORT, 3),
        NAME.uid("1.2", Kind.PICTURE, 4),
        replace(NAME, study_instance_uid="1.2.4").uid("1.2", Kind.PICTURE, 3),
        replace(NAME, series_instance_uid="1.2.4").uid("1.2", Kind.PICTURE, 3),
        replace(NAME, provenance=replace(PROVENANCE, generation=2)).uid("1.2", Kind.PICTURE, 3),
        replace(NAME, provenance=replace(PROVENANCE, result_digest="1")).uid("1.2", Kind.PICTURE, 3),
        replace(NAME, provenance=replace(PROVENANCE, installation_id="x")).uid("1.2", Kind.PICTURE, 3),
    ],
)
def test_any_other_fact_gives_another_uid(other: str) -> None:
    assert other != NAME.uid("1.2", Kind.PICTURE, 3)


def test_facts_do_not_run_into_each_other() -> None:
    assert derived_uid("a", "b|c") != derived_uid("a|b", "c")
    assert derived_uid("1") != derived_uid(1)


def test_a_retrained_algorithm_is_another_device() -> None:
    assert device_uid(ALGORITHM) != device_uid(replace(ALGORITHM, digest="b" * 64))


def _digest(**changes: object) -> str:
    facts: dict[str, object] = {
        "input_digests": ["a", "b"],
        "annotation_digests": [],
        "bundle_digest": "m",
        "segmenter_digest": "s",
        "settings": "release=score",
        "software_version": "0.1.0",
        "at": PROVENANCE.at,
    }
    return result_digest(**(facts | changes))  # type: ignore[arg-type]


def test_the_digest_does_not_depend_on_the_order_of_arrival_or_the_zone_of_the_clock() -> None:
    elsewhere = PROVENANCE.at.astimezone(timezone(timedelta(hours=5)))
    assert _digest() == _digest(input_digests=["b", "a"], at=elsewhere)


@pytest.mark.parametrize(
    "change",
    [
        {"input_digests": ["a"]},
        {"annotation_digests": ["k"]},
        {"bundle_digest": "n"},
        {"segmenter_digest": "t"},
        {"settings": "release=shadow"},
        {"software_version": "0.1.1"},
        {"at": PROVENANCE.at + timedelta(seconds=1)},
        {"predecessor": Predecessor("1.2", "1.2.3", Comprehensive3DSRStorage)},
    ],
)
def test_the_digest_depends_on_everything_that_determines_the_result(change: dict[str, object]) -> None:
    assert _digest(**change) != _digest()


def test_an_instant_without_its_offset_from_utc_is_refused() -> None:
    with pytest.raises(NaiveInstant):
        replace(PROVENANCE, at=datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def test_the_implementation_fits_its_fields() -> None:
    assert len(IMPLEMENTATION_CLASS_UID) <= 64
    assert len(implementation_version_name("12.345.6.dev123456")) == 16
