"""Every kind of object from every kind of source: what the validators of other people and our own check say."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_out.validation import findings, note_findings
from tests.conformance import sources
from tests.conformance.sources import REAL, SOURCES, Headers, files_from, read, read_headers, result_kinds
from tests.conformance.validators import dciodvfy, dsr2html, dsrdump, pixelmed
from tests.conformance.variants import NAMES

DOCUMENTS = ("report", "abstention", "key objects", "rejection")
REPORTS = ("report", "report as Comprehensive SR Storage", "report as Enhanced SR Storage")


@cache
def _real(folder: Path) -> tuple[Headers, dict[str, bytes]]:
    headers = read_headers(sorted(folder.glob("*.dcm")))
    return headers, files_from(headers)


def _written(files: dict[str, bytes], folder: Path) -> Iterator[tuple[str, Path]]:
    """Of the pictures of slices one stands for all."""
    for kind, file in files.items():
        if not kind.startswith("picture") or kind == "picture 1":
            path = folder / f"{kind}.dcm"
            path.write_bytes(file)
            yield kind, path


def _found_by_dciodvfy(files: dict[str, bytes], folder: Path) -> dict[str, list[str]]:
    return {kind: found for kind, path in _written(files, folder) if (found := dciodvfy(path))}


def _found_by_us(files: dict[str, bytes], headers: Headers) -> list[str]:
    found: list[object] = []
    for report in REPORTS:
        found += findings([read(files[kind]) for kind in result_kinds(files, report)], headers)
    for note in (kind for kind in files if kind.startswith("rejection")):
        rejected = [read(files[kind]) for kind in result_kinds(files)]
        found += note_findings(read(files[note]), rejected)
    return [str(finding) for finding in found]


@pytest.mark.parametrize("source", SOURCES)
def test_dciodvfy_finds_nothing(source: str, tmp_path: Path) -> None:
    assert _found_by_dciodvfy(sources.files(source), tmp_path) == {}


@pytest.mark.parametrize("source", SOURCES)
def test_our_own_check_finds_nothing(source: str) -> None:
    assert _found_by_us(sources.files(source), SOURCES[source]()) == []


@pytest.mark.realdata
@pytest.mark.parametrize("source", REAL)
def test_of_real_studies_only_what_their_own_headers_have_is_found(
    source: str, real_data: Path, tmp_path: Path
) -> None:
    headers, files = _real(real_data / REAL[source])
    found = _found_by_dciodvfy(files, tmp_path)
    assert all("PatientName" in line and "Retired" in line for lines in found.values() for line in lines)
    assert _found_by_us(files, headers) == []


@pytest.mark.peers
@pytest.mark.parametrize("source", SOURCES)
def test_dcmtk_reads_and_renders_every_document(source: str, tmp_path: Path) -> None:
    for kind, path in _written(sources.files(source), tmp_path):
        if kind.startswith(DOCUMENTS) and not kind.endswith(("card", "quality")):
            assert "Device Observer UID" in dsrdump(path)
            assert "sedas-node" in dsr2html(path, tmp_path / "document.html")


@pytest.mark.peers
@pytest.mark.parametrize(
    ("source", "kind"), [("korean", "rejection for quality"), ("no type 2", "rejection for patient_safety")]
)
def test_pixelmed_finds_no_error_in_a_rejection_note(source: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "note.dcm"
    path.write_bytes(sources.files(source)[kind])
    assert pixelmed(path, "TID_2010") == []


@pytest.mark.parametrize("source", [name for name in SOURCES if name.startswith("JPEG")])
def test_what_was_lossy_stays_so_in_every_image(source: str) -> None:
    images = [ds for ds in map(read, sources.files(source).values()) if "Rows" in ds]
    (told,) = {_lossy(ds) for ds in images if _shows_a_slice(ds)}
    assert told == _lossy(sources.headers(source)[0])
    assert told[0] == ("00" if source == "JPEG 2000 lossless" else "01")


def _lossy(ds: Dataset) -> tuple[str, ...]:
    return tuple(str(ds.get(f"LossyImageCompression{of}", "")) for of in ("", "Ratio", "Method"))


def _shows_a_slice(ds: Dataset) -> bool:
    return "SourceImageSequence" in ds or "NumberOfFrames" in ds


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_read_in_every_object_as_in_the_source(name: str) -> None:
    for file in sources.files(name).values():
        assert read(file).PatientName == NAMES[name][1]
