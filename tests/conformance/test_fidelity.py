"""Patient and study in every kind of object are the source's, to the byte, whatever a sender writes; nothing else is."""

from collections.abc import Callable
from functools import cache

import pytest
from pydicom.config import disable_value_validation
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from dicom_out.header import PATIENT_AND_STUDY, TYPE_2
from dicom_out.validation import findings, note_findings
from dicom_out.walk import held, places
from tests.conformance import sources
from tests.conformance.sources import SOURCES, Headers, files_from, headers_of, read, result_kinds, without


def _raw(**values: bytes | None) -> Headers:
    """Headers with bytes that pydicom would not write; None for an attribute that is absent."""
    headers = headers_of()
    for ds in headers:
        for keyword, value in values.items():
            tag = Tag(keyword)
            vr = held(ds, tag).VR if tag in ds else "LO"
            del ds[tag]
            if value is not None:
                ds[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    return headers


def _with_private_tags() -> Headers:
    headers = headers_of()
    for ds in headers:
        block = ds.private_block(0x0011, "SENDER 1.0", create=True)
        block.add_new(0x01, "LO", "Doe^Jane")
        study = ds.private_block(0x0009, "SENDER 1.0", create=True)
        study.add_new(0x10, "UN", b"\x00\x01")
    return headers


ISO_2022_NAME = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"

QUIRKS: dict[str, Callable[[], Headers]] = {
    "sex U": lambda: _raw(PatientSex=b"U "),
    "sex N": lambda: _raw(PatientSex=b"N "),
    "sex m": lambda: _raw(PatientSex=b"m "),
    "sex in words": lambda: _raw(PatientSex=b"female"),
    "padded with NUL": lambda: _raw(PatientID=b"P-47111\0", PatientSex=b"M\0", StudyID=b"S1\0\0"),
    "padded with spaces": lambda: _raw(PatientID=b" P-4711 ", PatientName=b"Doe^Jane^^    "),
    "odd length": lambda: _raw(PatientID=b"P-47111", StudyDescription=b"CT 1234"),
    "escapes without a declared set": lambda: _raw(SpecificCharacterSet=None, PatientName=ISO_2022_NAME),
    "escapes in another set": lambda: _raw(SpecificCharacterSet=b"ISO_IR 100", PatientName=ISO_2022_NAME),
    "UTF-8 declared as Latin-1": lambda: _raw(PatientName="Müller^Jörg ".encode()),
    "Latin-1 declared as UTF-8": lambda: _raw(
        SpecificCharacterSet=b"ISO_IR 192", PatientName="Müller^Jörg ".encode("latin-1") + b" "
    ),
    "Latin-1 without a declared set": lambda: _raw(
        SpecificCharacterSet=None, PatientName="Müller^Jörg ".encode("latin-1") + b" "
    ),
    "no study date": lambda: _raw(StudyDate=b"", StudyTime=b""),
    "dates as of ACR-NEMA": lambda: _raw(StudyDate=b"2026.11.20", PatientBirthDate=b"1961.02.03"),
    "long accession number": lambda: _raw(AccessionNumber=b"A-2026-11-20-0000000004711"),
    "time zone": lambda: headers_of(TimezoneOffsetFromUTC="-0330"),
    "private tags": _with_private_tags,
    **{name: SOURCES[name] for name in ("no type 2", "latin1", "utf8", "gb18030", "japanese", "korean")},
    "no patient at all": lambda: without(*TYPE_2, "StudyDescription", "SpecificCharacterSet"),
}


@cache
def made(quirk: str) -> dict[str, bytes]:
    if quirk in SOURCES:
        return sources.files(quirk)
    with disable_value_validation():
        return files_from(QUIRKS[quirk]())


def _tag(keyword: str) -> BaseTag:
    return Tag(tag_for_keyword(keyword) or keyword)


def _as_written(ds: Dataset, keyword: str) -> bytes | None:
    """The bytes of the value; without what a sender filled up with NUL, and of even length (PS3.5 6.2)."""
    if _tag(keyword) not in ds:
        return None
    if keyword == "SpecificCharacterSet":  # pydicom decodes it while it reads
        given = ds.SpecificCharacterSet
        return (given if isinstance(given, str) else "\\".join(given)).encode()
    element = held(ds, _tag(keyword))
    assert isinstance(element, RawDataElement), keyword
    value = bytes(element.value or b"").rstrip(b"\0")
    filler = b"\0" if element.VR == "UI" else b" "
    return value + filler * (len(value) % 2)


@pytest.mark.parametrize("quirk", QUIRKS)
def test_every_attribute_of_patient_and_study_has_the_bytes_of_the_source(quirk: str) -> None:
    source = QUIRKS[quirk]()[0]
    expected = {keyword: _as_written(source, keyword) for keyword in PATIENT_AND_STUDY}
    expected |= {keyword: expected[keyword] or b"" for keyword in TYPE_2}
    for kind, file in made(quirk).items():
        ds = read(file)
        assert {keyword: _as_written(ds, keyword) for keyword in PATIENT_AND_STUDY} == expected, kind


@pytest.mark.parametrize("quirk", QUIRKS)
def test_the_check_before_sending_lets_pass_what_is_the_senders_own(quirk: str) -> None:
    files = made(quirk)
    rejected = [read(files[kind]) for kind in result_kinds(files)]
    assert findings(rejected, QUIRKS[quirk]()) == ()
    note = read(files["rejection for quality"])
    assert note_findings(note, [read(files[kind]) for kind in result_kinds(files)]) == ()


def test_nothing_private_is_copied() -> None:
    assert any(tag.is_private for tag in QUIRKS["private tags"]()[0])
    for file in made("private tags").values():
        for place in places(read(file)):
            assert not any(tag.is_private for tag in place.item)


def test_a_declared_offset_from_utc_is_that_of_our_own_times() -> None:
    for kind, file in made("time zone").items():
        ds = read(file)
        assert ds.TimezoneOffsetFromUTC == "-0330"
        at = ds.PresentationCreationTime if kind == "presentation state" else ds.ContentTime
        assert at == "050015.250000", kind


def test_nothing_of_the_patient_is_in_a_pixel_or_in_a_word_of_ours() -> None:
    """Results of two patients differ in their patient and study, and in nothing else."""
    one = sources.files("latin1")
    other = files_from(
        headers_of(
            SpecificCharacterSet="GB18030",
            PatientName="Wang^XiaoDong=\u738b^\u5c0f\u4e1c",
            PatientID="Q-99",
            PatientBirthDate="20010101",
            PatientSex="M",
            StudyDate="20200202",
            StudyTime="020202",
            AccessionNumber="Z9",
            StudyID="T7",
            StudyDescription="Thorax",
            ReferringPhysicianName="Nobody^N",
        )
    )
    assert other.keys() == one.keys()
    for kind, file in one.items():
        theirs, ours = read(other[kind]), read(file)
        for ds in (theirs, ours):
            for keyword in set(PATIENT_AND_STUDY) - {"StudyInstanceUID"}:
                if keyword in ds:
                    del ds[keyword]
        assert theirs == ours, kind
        assert theirs.get("PixelData") == ours.get("PixelData"), kind
