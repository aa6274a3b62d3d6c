from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import SegmentationStorage

from dicom_out import codes
from dicom_out.encode import content, encode
from dicom_out.statements import DISCLAIMER
from inference.findings import Analysis, SlicePolicy, Target
from tests.analyses import DEMONSTRATION, PROVENANCE, analysis_of, ct_headers

HEADERS = ct_headers(rows=61, columns=43)  # a frame that ends within a byte


def _objects(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> list[Dataset]:
    objects = encode(analysis, headers, PROVENANCE, segmentation=True)
    return [ds for ds in objects if ds.SOPClassUID == SegmentationStorage]


def _of(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> Dataset:
    (ds,) = _objects(analysis, headers)
    return ds


def _labels(ds: Dataset) -> list[str]:
    return [segment.SegmentLabel for segment in ds.SegmentSequence]


def _frames(ds: Dataset, segment: int) -> dict[float, NDArray[np.uint8]]:
    """The pixels of a segment by the height of their frame."""
    pixels = ds.pixel_array.reshape(int(ds.NumberOfFrames), ds.Rows, ds.Columns)
    return {
        float(frame.PlanePositionSequence[0].ImagePositionPatient[2]): pixels[index]
        for index, frame in enumerate(ds.PerFrameFunctionalGroupsSequence)
        if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == segment
    }


def _without_lesion(analysis: Analysis, *, lungs: bool = True) -> Analysis:
    slices = tuple(
        replace(s, lesion=np.zeros_like(s.lesion), lungs=s.lungs if lungs else np.zeros_like(s.lungs))
        for s in analysis.slices
    )
    return replace(analysis, slices=slices, target=Target(None, None))


def test_nothing_is_segmented_unasked() -> None:
    assert {ds.Modality for ds in encode(analysis_of(HEADERS), HEADERS, PROVENANCE)} == {"OT", "SR"}


def test_the_frames_are_the_masks_where_their_slices_are() -> None:
    analysis = analysis_of(HEADERS)
    ds = _of(analysis)
    lungs, lesion = _frames(ds, 1), _frames(ds, 2)
    assert lungs.keys() == lesion.keys() == {s.position_mm[2] for s in analysis.slices}
    for scored in analysis.slices:
        assert (lungs[scored.position_mm[2]] == scored.lungs).all()
        assert (lesion[scored.position_mm[2]] == scored.lesion).all()
    shared, source = ds.SharedFunctionalGroupsSequence[0], HEADERS[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == source.PixelSpacing
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == source.ImageOrientationPatient
    assert ds.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert ds.SegmentsOverlap == "YES"  # the lung field holds the lesion


def test_a_slice_without_the_target_has_no_frame_of_it() -> None:
    analysis = analysis_of(HEADERS)
    first, *others = analysis.slices
    bare = replace(first, lesion=np.zeros_like(first.lesion))
    ds = _of(replace(analysis, slices=(bare, *others)))
    assert len(_frames(ds, 1)) == len(analysis.slices)
    assert _frames(ds, 2).keys() == {s.position_mm[2] for s in others}


def test_it_says_what_it_covers_and_with_what_caution() -> None:
    ds = _of(analysis_of(HEADERS))
    assert ds.ContentDescription == "Covers the scored slices and no others"
    for sentence in (DISCLAIMER, "unconfirmed automatic candidate", DEMONSTRATION):
        assert sentence in ds.ImageComments


def test_a_candidate_is_an_algorithms_and_called_no_nodule() -> None:
    target = _of(analysis_of(HEADERS)).SegmentSequence[1]
    assert target.SegmentLabel == "Target, unconfirmed candidate"
    assert target.SegmentAlgorithmType == "AUTOMATIC"
    assert target.SegmentAlgorithmName == "Nodule candidate search"
    assert target.SegmentedPropertyTypeCodeSequence[0].CodeValue == codes.SELECTED_REGION.value
    assert target.SegmentedPropertyCategoryCodeSequence[0].CodeValue == codes.SPATIAL_CONCEPT.value


def test_a_marked_target_is_called_what_it_is() -> None:
    target = _of(analysis_of(HEADERS, policy=SlicePolicy.ANNOTATED)).SegmentSequence[1]
    assert target.SegmentLabel == "Target, marked in the study"
    assert target.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert target.SegmentedPropertyTypeCodeSequence[0].CodeValue == codes.NODULE.value
    assert target.SegmentedPropertyCategoryCodeSequence[0].CodeValue == codes.ABNORMAL_STRUCTURE.value


def test_where_only_slices_were_marked_there_are_only_the_lungs() -> None:
    analysis = _without_lesion(analysis_of(HEADERS, policy=SlicePolicy.ANNOTATED))
    assert _labels(_of(analysis)) == ["Lungs"]


def test_where_nothing_is_outlined_there_is_no_object() -> None:
    assert _objects(analysis_of(HEADERS, policy=SlicePolicy.NONE)) == []
    assert _objects(_without_lesion(analysis_of(HEADERS), lungs=False)) == []


def test_images_without_a_frame_of_reference_have_none() -> None:
    headers = ct_headers(rows=61, columns=43)
    for header in headers:
        del header.FrameOfReferenceUID
    assert _objects(analysis_of(HEADERS), headers) == []


def test_a_frame_of_a_slab_refers_to_all_its_slices_and_first_to_its_own() -> None:
    analysis = analysis_of(HEADERS)
    slab = tuple(str(h.SOPInstanceUID) for h in HEADERS[3:6])
    ds = _of(replace(analysis, slices=(replace(analysis.slices[2], source_uids=slab),)))
    assert ds.NumberOfFrames == 2
    for frame in ds.PerFrameFunctionalGroupsSequence:
        sources = frame.DerivationImageSequence[0].SourceImageSequence
        named = [item.ReferencedSOPInstanceUID for item in sources]
        assert (named[0], sorted(named)) == (slab[1], sorted(slab))
        assert {s.PurposeOfReferenceCodeSequence[0].CodeValue for s in sources} == {codes.SOURCE_IMAGE.value}
    referred = ds.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == HEADERS[0].SeriesInstanceUID
    assert {i.ReferencedSOPInstanceUID for i in referred.ReferencedInstanceSequence} == set(slab)


def test_a_segment_is_tracked_as_its_group_in_the_report() -> None:
    *_, segmentation, report = encode(analysis_of(HEADERS), HEADERS, PROVENANCE, segmentation=True)
    tracked = {
        (item.ContentSequence[0].TextValue, item.ContentSequence[1].UID)
        for container in report.ContentSequence
        if container.ValueType == "CONTAINER"
        for item in container.ContentSequence
    }
    assert {(s.TrackingID, s.TrackingUID) for s in segmentation.SegmentSequence} <= tracked


def test_the_places_that_name_an_algorithm_agree() -> None:
    """IHE AIR table 6.5.3.1-1."""
    for policy in (SlicePolicy.AUTOMATIC, SlicePolicy.ANNOTATED):
        ds = _of(analysis_of(HEADERS, policy=policy))
        equipment = {
            (d.Manufacturer, d.ManufacturerModelName, d.SoftwareVersions)
            for d in ds.ContributingEquipmentSequence
        }
        named = [s.SegmentationAlgorithmIdentificationSequence[0] for s in ds.SegmentSequence]
        assert {(a.AlgorithmSource, a.AlgorithmName, a.AlgorithmVersion) for a in named} == equipment


def test_lossy_compression_of_any_source_is_passed_on() -> None:
    assert _of(analysis_of(HEADERS)).LossyImageCompression == "00"
    headers = ct_headers(rows=61, columns=43)
    headers[4].LossyImageCompression = "01"
    headers[4].LossyImageCompressionRatio = "12.5"
    headers[4].LossyImageCompressionMethod = "ISO_15444_1"
    ds = _of(analysis_of(headers), headers)
    assert (ds.LossyImageCompression, ds.LossyImageCompressionRatio) == ("01", 12.5)


def test_where_no_thickness_is_stated_the_slices_are_as_thick_as_they_are_apart() -> None:
    headers = ct_headers(rows=61, columns=43)
    for header in headers:
        header.SliceThickness = None
    measures = _of(analysis_of(HEADERS), headers).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == 5.0


def test_orientations_that_differ_in_a_far_digit_are_one() -> None:
    headers = ct_headers(rows=61, columns=43)
    for index, header in enumerate(headers):
        tag, value = Tag("ImageOrientationPatient"), rf"0.999999999{index:02d}0000000\0\0\0\1\0 ".encode()
        value += b" " * (len(value) % 2)
        header[tag] = RawDataElement(tag, "DS", len(value), value, 0, False, True)
    assert content(_of(analysis_of(HEADERS), headers))
