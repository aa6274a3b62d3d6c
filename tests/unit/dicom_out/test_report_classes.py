from dataclasses import replace
from functools import cache

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
)

from dicom_out.encode import content, encode
from dicom_out.identity import ResultName
from dicom_out.report_classes import CLASSES, NotOurReport, class_findings, in_class
from dicom_out.validation import findings
from inference.findings import Mark, SlicePolicy
from tests.analyses import PROVENANCE, SERIES_UID, STUDY_UID, analysis_of
from tests.conformance.sources import headers, headers_of, read
from tests.conformance.variants import EARLIER, annotation

NAME = ResultName(STUDY_UID, SERIES_UID, PROVENANCE)
UIDS = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")


@cache
def result() -> tuple[bytes, ...]:
    """The objects of one result, the report last."""
    return tuple(
        content(ds) for ds in encode(analysis_of(headers("japanese")), headers("japanese"), PROVENANCE)
    )


def report() -> Dataset:
    return read(result()[-1])


def test_the_classes_are_offered_from_the_richest_to_the_plainest() -> None:
    assert (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage) == CLASSES


@pytest.mark.parametrize("sop_class_uid", CLASSES[1:])
def test_all_but_class_and_uids_is_the_same_to_the_byte(sop_class_uid: UID) -> None:
    other = read(content(in_class(report(), sop_class_uid, NAME)))
    original = report()
    assert other.SOPClassUID == other.file_meta.MediaStorageSOPClassUID == sop_class_uid
    assert other.file_meta.MediaStorageSOPInstanceUID == other.SOPInstanceUID
    for keyword in UIDS:
        assert other[keyword].value != original[keyword].value
        setattr(other, keyword, original[keyword].value)
    other.file_meta = original.file_meta
    assert content(other) == content(report())


def test_the_same_report_gives_the_same_bytes_and_stays_as_it_was() -> None:
    given = report()
    first, second = (content(in_class(given, EnhancedSRStorage, NAME)) for _ in range(2))
    assert first == second
    assert content(given) == result()[-1]


def test_every_class_and_every_result_has_uids_of_its_own() -> None:
    other = ResultName(STUDY_UID, SERIES_UID, replace(PROVENANCE, result_digest="1" * 64))
    again = read(content(encode(analysis_of(headers("japanese")), headers("japanese"), other.provenance)[-1]))
    made = [in_class(report(), uid, NAME) for uid in CLASSES] + [
        in_class(again, uid, other) for uid in CLASSES
    ]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert len({ds[keyword].value for ds in made}) == len(made)


def test_from_one_class_the_way_leads_to_any_other() -> None:
    enhanced = read(content(in_class(report(), EnhancedSRStorage, NAME)))
    assert content(in_class(enhanced, Comprehensive3DSRStorage, NAME)) == result()[-1]


def test_anything_but_the_report_of_the_named_result_is_refused() -> None:
    picture = read(result()[0])
    with pytest.raises(NotOurReport, match=str(picture.SOPInstanceUID)):
        in_class(picture, EnhancedSRStorage, NAME)
    with pytest.raises(NotOurReport, match=str(report().SOPInstanceUID)):
        in_class(report(), EnhancedSRStorage, replace(NAME, provenance=replace(PROVENANCE, generation=2)))
    with pytest.raises(NotOurReport, match=BasicTextSRStorage):
        in_class(report(), BasicTextSRStorage, NAME)


@pytest.mark.parametrize("sop_class_uid", CLASSES)
def test_the_check_passes_it_with_the_pictures_of_the_result(sop_class_uid: UID) -> None:
    pictures = [read(file) for file in result()[:-1]]
    other = read(content(in_class(report(), sop_class_uid, NAME)))
    assert findings([*pictures, other], headers("japanese")) == ()


@pytest.mark.parametrize("sop_class_uid", CLASSES)
def test_the_check_passes_the_annotation_and_the_predecessor_in_it(sop_class_uid: UID) -> None:
    sources = headers_of()
    marking = annotation(2, "1.2.840.10008.5.1.4.1.1.66.4")
    analysis = replace(
        analysis_of(sources, policy=SlicePolicy.ANNOTATED), selected_by=Mark(marking.SOPInstanceUID, 2)
    )
    earlier = replace(EARLIER, sop_class_uid=EnhancedSRStorage)
    provenance = replace(PROVENANCE, generation=2, predecessor=earlier)
    objects = [read(content(ds)) for ds in encode(analysis, sources, provenance, [marking])]
    name = replace(NAME, provenance=provenance)
    objects[-1] = read(content(in_class(objects[-1], sop_class_uid, name)))
    assert findings(objects, sources, [marking]) == ()
    series = objects[-1].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert series.ReferencedSOPSequence[0].ReferencedSOPClassUID == EnhancedSRStorage


def _number(ds: Dataset) -> Dataset:
    """The first value below the first group, and what it is inferred from."""
    groups = next(item for item in ds.ContentSequence if item.ValueType == "CONTAINER").ContentSequence
    number: Dataset = next(item for item in groups[-1].ContentSequence if item.ValueType == "NUM")
    return number


def _planted(**attributes: object) -> Dataset:
    item = Dataset()
    item.RelationshipType = "INFERRED FROM"
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


@pytest.mark.parametrize(
    ("planted", "refused_by"),
    [
        (_planted(ValueType="SCOORD3D"), {ComprehensiveSRStorage, EnhancedSRStorage}),
        (_planted(ValueType="CONTAINER"), {EnhancedSRStorage}),
        (_planted(ReferencedContentItemIdentifier=[1, 1]), {EnhancedSRStorage}),
        (_planted(ValueType="IMAGE"), set()),
    ],
)
def test_what_a_class_does_not_allow_is_found(planted: Dataset, refused_by: set[UID]) -> None:
    refused = set()
    for sop_class_uid in CLASSES:
        ds = in_class(report(), sop_class_uid, NAME)
        _number(ds).ContentSequence.append(planted)
        if list(class_findings(ds)):
            refused.add(sop_class_uid)
    assert refused == refused_by
