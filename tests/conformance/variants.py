"""Results of every kind, from sources of every kind, by name."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO

import numpy as np
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

from dicom_out.encode import encode
from dicom_out.header import TYPE_2
from dicom_out.identity import Predecessor
from inference.findings import Analysis, Mark, SlicePolicy, Target
from tests.analyses import PROVENANCE, STUDY_UID, analysis_of, ct_headers

Objects = tuple[Dataset, ...]

NAMES = {
    "latin1": ("ISO_IR 100", "M\u00fcller^J\u00f6rg"),
    "utf8": ("ISO_IR 192", "Wang^XiaoDong=\u738b^\u5c0f\u6771"),
    "gb18030": ("GB18030", "Wang^XiaoDong=\u738b^\u5c0f\u4e1c"),
    "japanese": (
        ["", "ISO 2022 IR 87"],
        "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046",
    ),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Gildong=\u6d2a^\u5409\u6d1e=\ud64d^\uae38\ub3d9"),
}


def received(headers: list[Dataset], syntax: UID = ExplicitVRLittleEndian) -> list[Dataset]:
    """The headers after they were written and read: bytes, as a node has them."""
    files: list[Dataset] = []
    for ds in headers:
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = syntax
        buffer = BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
        files.append(dcmread(BytesIO(buffer.getvalue())))
    return files


def headers_with(**attributes: object) -> list[Dataset]:
    headers = ct_headers()
    for ds in headers:
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
    return received(headers)


def headers_of_sex(value: bytes) -> list[Dataset]:
    """Headers with a value that pydicom would not write."""
    headers = received(ct_headers())
    tag = Tag("PatientSex")
    for ds in headers:
        ds[tag] = RawDataElement(tag, "CS", len(value), value, 0, False, True)
    return headers


def headers_without(*keywords: str) -> list[Dataset]:
    headers = ct_headers()
    for ds in headers:
        for keyword in keywords:
            del ds[keyword]
    return received(headers)


def named(name: str) -> list[Dataset]:
    """Headers of a patient with a name of the given script."""
    character_set, patient = NAMES[name]
    return headers_with(SpecificCharacterSet=character_set, PatientName=patient)


def encoded(headers: list[Dataset], change: Callable[[Analysis], Analysis] = lambda a: a) -> Objects:
    return encode(change(analysis_of(headers)), headers, PROVENANCE)


def slabs(analysis: Analysis) -> Analysis:
    uids = [scored.sop_instance_uid for scored in analysis.slices]
    slices = (
        replace(s, source_uids=tuple(uids[max(0, i - 1) : i + 2])) for i, s in enumerate(analysis.slices)
    )
    return replace(analysis, slices=tuple(slices))


def _abstained(analysis: Analysis) -> Analysis:
    return replace(analysis.without_score(), abstained_for=analysis.input_quality)


def _calibrated(analysis: Analysis) -> Analysis:
    return replace(analysis, calibration="Calibrated at patient level on 120 patients of one site.")


def slices_only(analysis: Analysis) -> Analysis:
    """As of a radiologist's key objects: they name slices and no place."""
    slices = (replace(s, lesion=np.zeros_like(s.lesion)) for s in analysis.slices)
    return replace(
        analysis,
        slice_policy=SlicePolicy.ANNOTATED,
        target=Target(None, None),
        other_candidates=(),
        slices=tuple(slices),
    )


def _annotated(size_mm: float) -> Objects:
    headers = ct_headers()
    analysis = analysis_of(headers, policy=SlicePolicy.ANNOTATED, size_mm=size_mm, probabilities=(0.1, 0.2))
    return encode(analysis, headers, PROVENANCE)


def _marked_by(sop_class_uid: str, segment: int | None) -> Objects:
    """Slices that an annotation selected, one of two, after an earlier report."""
    headers = ct_headers()
    annotations = [annotation(1, RTStructureSetStorage), annotation(2, sop_class_uid)]
    mark = Mark(str(annotations[1].SOPInstanceUID), segment)
    analysis = replace(analysis_of(headers, policy=SlicePolicy.ANNOTATED), selected_by=mark)
    return encode(analysis, headers, LATER, annotations)


def annotation(number: int, sop_class_uid: str) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, f"{STUDY_UID}.7.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY_UID, f"{STUDY_UID}.8.{number}"
    return ds


def _none() -> Objects:
    headers = ct_headers()
    return encode(analysis_of(headers, policy=SlicePolicy.NONE), headers, PROVENANCE)


EARLIER = Predecessor("1.2.826.0.1.3680043.10.1.5", "1.2.826.0.1.3680043.10.1.6", Comprehensive3DSRStorage)
LATER = replace(PROVENANCE, generation=2, predecessor=EARLIER)

VARIANTS: dict[str, Callable[[], Objects]] = {
    "scored": lambda: encoded(ct_headers()),
    "marked nodule": lambda: _annotated(12.0),
    "marked mass": lambda: _annotated(58.0),
    "candidates only": lambda: encoded(ct_headers(), Analysis.without_score),
    "no target": _none,
    "abstained": lambda: encoded(ct_headers(), _abstained),
    "calibrated": lambda: encoded(ct_headers(), _calibrated),
    "marked slices": lambda: encoded(ct_headers(), slices_only),
    "marked by key objects": lambda: _marked_by(KeyObjectSelectionDocumentStorage, None),
    "marked by segmentation": lambda: _marked_by(SegmentationStorage, 2),
    "slabs": lambda: encoded(ct_headers(), slabs),
    "small": lambda: encoded(ct_headers(rows=64, columns=64)),
    "oblong": lambda: encoded(ct_headers(rows=512, columns=300)),
    "no type 2": lambda: encoded(headers_without(*TYPE_2)),
    "no slice thickness": lambda: encoded(headers_without("SliceThickness")),
    "lossy": lambda: encoded(
        headers_with(
            LossyImageCompression="01",
            LossyImageCompressionRatio="10.5",
            LossyImageCompressionMethod="ISO_15444_1",
        )
    ),
    "time zone": lambda: encoded(headers_with(TimezoneOffsetFromUTC="+0530")),
    "trial": lambda: encoded(
        headers_with(
            ClinicalTrialSponsorName="Sponsor",
            ClinicalTrialProtocolID="P1",
            ClinicalTrialProtocolName="",
            ClinicalTrialSiteID="",
            ClinicalTrialSiteName="",
            ClinicalTrialSubjectID="7",
        )
    ),
    **{name: lambda name=name: encoded(named(name)) for name in NAMES},  # type: ignore[misc]
}


@cache
def result(variant: str) -> Objects:
    """The objects of a variant, encoded once for all tests: look, do not change."""
    return VARIANTS[variant]()
