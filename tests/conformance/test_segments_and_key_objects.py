"""The Segmentation and the Key Object Selection: what validators say, and that all they refer to is there."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage, SegmentationStorage

from dicom_out.encode import content, encode, write
from inference.findings import Analysis, SlicePolicy
from tests.analyses import PROVENANCE, analysis_of, ct_headers
from tests.conformance.validators import dciodvfy, dsrdump, pixelmed
from tests.conformance.variants import NAMES, headers_without, named, slabs, slices_only

CLASSES = [SegmentationStorage, KeyObjectSelectionDocumentStorage]


def _encoded(analysis: Analysis, headers: Sequence[Dataset]) -> list[Dataset]:
    return list(encode(analysis, headers, PROVENANCE, segmentation=True, key_objects=True))


@cache
def _variant(name: str) -> tuple[list[Dataset], list[Dataset]]:
    """Source headers, and all that is made from them, once for all tests: look, do not change."""
    return _made(name)


def _made(name: str) -> tuple[list[Dataset], list[Dataset]]:
    headers = ct_headers()
    match name:
        case "scored":
            analysis = analysis_of(headers)
        case "marked":
            analysis = analysis_of(headers, policy=SlicePolicy.ANNOTATED)
        case "marked slices":
            analysis = slices_only(analysis_of(headers))
        case "candidates only":
            analysis = analysis_of(headers).without_score()
        case "slabs":
            analysis = slabs(analysis_of(headers))
        case "bare":
            headers = headers_without("SliceThickness", "PatientBirthDate", "StudyID", "StudyTime")
            analysis = analysis_of(headers)
        case _:
            headers = named(name)
            analysis = analysis_of(headers)
    return headers, _encoded(analysis, headers)


VARIANTS = ["scored", "marked", "marked slices", "candidates only", "slabs", "bare", *NAMES]


def _asked_for(objects: Sequence[Dataset]) -> list[Dataset]:
    further = objects[-3:-1]
    assert [ds.SOPClassUID for ds in further] == CLASSES
    return list(further)


@pytest.mark.parametrize("name", VARIANTS)
def test_dciodvfy_finds_nothing(name: str, tmp_path: Path) -> None:
    _, objects = _variant(name)
    paths = write(_asked_for(objects), tmp_path)
    assert {path.name: found for path in paths if (found := dciodvfy(path))} == {}


@pytest.mark.parametrize("name", VARIANTS)
def test_two_encodings_are_the_same_bytes(name: str) -> None:
    first, second = _variant(name)[1], _made(name)[1]
    assert [content(ds) for ds in first] == [content(ds) for ds in second]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_reference_resolves(name: str) -> None:
    headers, objects = _variant(name)
    there = {(str(ds.SOPClassUID), str(ds.SOPInstanceUID)) for ds in (*headers, *objects)}
    for ds in objects:
        referred = set(_references(ds))
        assert referred
        assert referred <= there
    report = objects[-1]
    further = {(str(ds.SOPClassUID), str(ds.SOPInstanceUID)) for ds in _asked_for(objects)}
    assert further <= set(_references(report))


def _references(ds: Dataset) -> Iterator[tuple[str, str]]:
    if "ReferencedSOPInstanceUID" in ds:
        yield str(ds.ReferencedSOPClassUID), str(ds.ReferencedSOPInstanceUID)
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from _references(item)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_keeps_its_bytes_in_every_script(name: str) -> None:
    headers, objects = _made(name)
    original = headers[0].get_item("PatientName")
    assert original is not None
    for ds in _asked_for(objects):
        copied = ds.get_item("PatientName")
        assert copied is not None
        assert copied.value == original.value
        assert ds.PatientName == NAMES[name][1]


@pytest.mark.parametrize("name", VARIANTS)
def test_the_places_that_name_an_algorithm_agree(name: str) -> None:
    """IHE AIR table 6.5.3.1-1: the segments' algorithms and the observer are items of the equipment."""
    segmentation, key_objects = _asked_for(_variant(name)[1])
    equipment = {
        (d.Manufacturer, d.ManufacturerModelName, d.SoftwareVersions)
        for d in segmentation.ContributingEquipmentSequence
    }
    algorithms = {
        (a.AlgorithmSource, a.AlgorithmName, a.AlgorithmVersion)
        for segment in segmentation.SegmentSequence
        for a in segment.SegmentationAlgorithmIdentificationSequence
    }
    assert algorithms == equipment
    said = {
        item.ConceptNameCodeSequence[0].CodeValue: item.get("TextValue") or item.get("UID")
        for item in key_objects.ContentSequence
        if "ConceptNameCodeSequence" in item
    }
    assert (said["121014"], said["121015"], said["121012"]) in {
        (d.Manufacturer, d.ManufacturerModelName, d.DeviceUID)
        for d in key_objects.ContributingEquipmentSequence
    }


@pytest.mark.peers
@pytest.mark.parametrize("name", ["japanese"])
def test_pixelmed_and_dcmtk_read_the_key_objects(name: str, tmp_path: Path) -> None:
    _, key_objects = _asked_for(_variant(name)[1])
    (path,) = write([key_objects], tmp_path)
    assert pixelmed(path, "TID_2010") == []
    assert "For Research" in dsrdump(path)


@pytest.mark.realdata
def test_of_a_real_study_only_what_its_own_header_has_is_found(real_data: Path, tmp_path: Path) -> None:
    files = sorted((real_data / "chest/lung_dx_A0002/B70f").glob("*.dcm"))
    headers = [dcmread(file, stop_before_pixels=True) for file in files]
    paths = write(_asked_for(_encoded(analysis_of(headers), headers)), tmp_path)
    own = set(dciodvfy(files[0]))  # a name without components
    assert {line for path in paths for line in dciodvfy(path)} <= own
