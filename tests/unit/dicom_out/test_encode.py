from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_out.encode import content, encode, write
from dicom_out.identity import IMPLEMENTATION_CLASS_UID
from dicom_out.stamp import local_time
from inference.findings import SlicePolicy
from tests.analyses import PROVENANCE, analysis_of, ct_header, ct_headers, of_another_model

HEADERS = ct_headers()


def test_the_same_facts_give_the_same_bytes_in_whatever_order_the_images_came() -> None:
    first = encode(analysis_of(HEADERS), HEADERS, PROVENANCE)
    again = encode(analysis_of(HEADERS), ct_headers()[::-1], PROVENANCE)
    assert [content(ds) for ds in first] == [content(ds) for ds in again]


def test_another_result_digest_renames_every_object() -> None:
    analysis = of_another_model(analysis_of(HEADERS))
    first = encode(analysis_of(HEADERS), HEADERS, PROVENANCE)
    other = encode(analysis, HEADERS, replace(PROVENANCE, result_digest="1" * 64))
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert not {ds[keyword].value for ds in first} & {ds[keyword].value for ds in other}


def test_card_pictures_and_report_are_three_series_in_this_order() -> None:
    card, *pictures, report = encode(analysis_of(HEADERS), HEADERS, PROVENANCE)
    assert len({ds.SeriesInstanceUID for ds in pictures}) == 1
    assert len({ds.SeriesInstanceUID for ds in (card, pictures[0], report)}) == 3
    assert card.SeriesNumber < pictures[0].SeriesNumber < report.SeriesNumber
    assert [ds.InstanceNumber for ds in (card, *pictures, report)] == [1, 1, 2, 3, 4, 5, 1]


def test_without_a_target_there_is_a_card_and_a_report() -> None:
    objects = encode(analysis_of(HEADERS, policy=SlicePolicy.NONE), HEADERS, PROVENANCE)
    assert [ds.Modality for ds in objects] == ["OT", "SR"]


def test_encoding_leaves_the_sources_alone() -> None:
    headers = ct_headers()
    encode(analysis_of(headers), headers, PROVENANCE)
    assert headers == ct_headers()


def test_every_object_comes_from_this_node_and_program() -> None:
    objects = encode(analysis_of(HEADERS), HEADERS, PROVENANCE)
    assert len({ds.DeviceUID for ds in objects}) == 1
    for ds in objects:
        assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
        assert ds.file_meta.ImplementationVersionName == "SEDAS 0.1.0"
        assert ds.DeviceSerialNumber == PROVENANCE.installation_id
        assert ds.ContentQualification == "RESEARCH"


@pytest.mark.parametrize(
    ("declared", "hour"), [("+0100", 9), ("-0330", 5), ("", 8), ("nonsense", 8), (None, 8)]
)
def test_instants_are_written_in_the_offset_that_the_source_declares(declared: str | None, hour: int) -> None:
    source = Dataset()
    source.TimezoneOffsetFromUTC = declared
    assert local_time(PROVENANCE.at, source).hour == hour


def test_the_zone_of_the_given_instant_stands_where_the_source_declares_none() -> None:
    at = datetime(2026, 11, 24, 23, 30, tzinfo=UTC).astimezone(timezone(timedelta(hours=2)))
    report = encode(analysis_of(HEADERS), HEADERS, replace(PROVENANCE, at=at))[-1]
    assert (report.ContentDate, report.ContentTime) == ("20261125", "013000.000000")
    assert report.ContributingEquipmentSequence[0].ContributionDateTime == "20261125013000.000000+0200"


def test_written_objects_are_read_back_as_they_were(tmp_path: Path) -> None:
    objects = encode(analysis_of(HEADERS), HEADERS, PROVENANCE)
    paths = write(objects, tmp_path / "outbox")
    assert [path.stem for path in paths] == [ds.SOPInstanceUID for ds in objects]
    assert [content(dcmread(path)) for path in paths] == [content(ds) for ds in objects]
    before = [path.read_bytes() for path in paths]
    assert write(objects, tmp_path / "outbox") == paths
    assert [path.read_bytes() for path in paths] == before


def test_a_source_may_lack_what_a_ct_usually_has() -> None:
    headers = ct_headers()
    for header in headers:
        for keyword in (
            "SliceThickness",
            "FrameOfReferenceUID",
            "StudyDate",
            "InstanceNumber",
            "PatientName",
        ):
            del header[keyword]
    analysis = analysis_of(ct_headers())
    unnumbered = tuple(replace(scored, instance_number=None) for scored in analysis.slices)
    _, *pictures, report = encode(replace(analysis, slices=unnumbered), headers, PROVENANCE)
    assert pictures[0]["SliceThickness"].is_empty
    assert "FrameOfReferenceUID" not in pictures[0]
    assert report["PatientName"].is_empty


def test_words_from_elsewhere_become_ascii() -> None:
    analysis = analysis_of([ct_header(0)], scored=slice(0, 1))
    named = replace(
        analysis.classifier, name="Lungenl\u00e4sion \u80ba " + "x" * 80, manufacturer="\u00c9cole"
    )
    report = encode(replace(analysis, classifier=named), [ct_header(0)], PROVENANCE)[-1]
    device = report.ContributingEquipmentSequence[0]
    assert device.ManufacturerModelName.startswith("Lungenlasion ? x")
    assert len(device.ManufacturerModelName) == 64
    assert device.Manufacturer == "Ecole"
