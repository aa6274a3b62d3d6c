from collections.abc import Sequence
from dataclasses import replace

from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from dicom_out import codes
from dicom_out.capture import key_slices
from dicom_out.encode import encode
from dicom_out.identity import device_uid
from dicom_out.statements import DISCLAIMER
from inference.findings import Analysis, SlicePolicy
from tests.analyses import DEMONSTRATION, PROVENANCE, analysis_of, ct_headers

HEADERS = ct_headers(40, rows=64, columns=64)


def _objects(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> list[Dataset]:
    objects = encode(analysis, headers, PROVENANCE, key_objects=True)
    return [ds for ds in objects if ds.SOPClassUID == KeyObjectSelectionDocumentStorage]


def _named(ds: Dataset) -> list[str]:
    items = [item for item in ds.ContentSequence if item.ValueType == "IMAGE"]
    return [str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for item in items]


def _said(ds: Dataset, code: str) -> Dataset:
    named: dict[str, Dataset] = {
        item.ConceptNameCodeSequence[0].CodeValue: item
        for item in ds.ContentSequence
        if "ConceptNameCodeSequence" in item
    }
    return named[code]


def test_nothing_is_selected_unasked() -> None:
    assert "KO" not in {ds.Modality for ds in encode(analysis_of(HEADERS), HEADERS, PROVENANCE)}


def test_it_names_the_key_slices_in_their_order() -> None:
    analysis = analysis_of(HEADERS, scored=slice(2, 20))
    (ds,) = _objects(analysis)
    assert _named(ds) == [s.sop_instance_uid for s in key_slices(analysis)]


def test_of_a_slab_it_names_every_slice_once() -> None:
    analysis = analysis_of(HEADERS, scored=slice(2, 5))
    uids = [str(h.SOPInstanceUID) for h in HEADERS]
    slices = tuple(
        replace(s, source_uids=tuple(uids[k - 1 : k + 2])) for k, s in enumerate(analysis.slices, start=2)
    )
    (ds,) = _objects(replace(analysis, slices=slices))
    assert sorted(_named(ds)) == sorted(uids[1:6])


def test_what_it_names_is_its_evidence() -> None:
    (ds,) = _objects(analysis_of(HEADERS))
    (study,) = ds.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID) == (
        HEADERS[0].StudyInstanceUID,
        HEADERS[0].SeriesInstanceUID,
    )
    assert {i.ReferencedSOPInstanceUID for i in series.ReferencedSOPSequence} == set(_named(ds))


def test_a_device_of_ours_says_for_research_and_with_what_caution() -> None:
    analysis = analysis_of(HEADERS)
    (ds,) = _objects(analysis)
    assert ds.ConceptNameCodeSequence[0].CodeValue == codes.FOR_RESEARCH.value
    assert _said(ds, "121005").ConceptCodeSequence[0].CodeMeaning == "Device"
    observer = _said(ds, "121012")
    assert device_uid(analysis.classifier) == observer.UID
    description = _said(ds, "113012").TextValue
    for sentence in (DISCLAIMER, "unconfirmed automatic candidate", DEMONSTRATION):
        assert sentence in description


def test_an_image_has_no_purpose_of_reference() -> None:
    """PS3.16 TID 2010, row 8."""
    (ds,) = _objects(analysis_of(HEADERS))
    images = [item for item in ds.ContentSequence if item.ValueType == "IMAGE"]
    assert images
    assert not any("ConceptNameCodeSequence" in item for item in images)


def test_without_a_key_slice_there_is_none() -> None:
    assert _objects(analysis_of(HEADERS, policy=SlicePolicy.NONE)) == []
