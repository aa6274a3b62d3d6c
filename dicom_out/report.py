"""The Structured Report: TID 1500 in a Comprehensive 3D SR, with the evidence it rests on."""

from collections.abc import Sequence

import highdicom as hd
from highdicom.sr.coding import CodedConcept
from highdicom.sr.templates import LanguageOfContentItemAndDescendants, MeasurementReport, ObservationContext
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from dicom_out import codes
from dicom_out.equipment import Device, observer, taking_part
from dicom_out.groups import Scope, measurement_groups
from dicom_out.header import SourceMissing, SourceSeries
from dicom_out.identity import Kind, Provenance, ResultName
from dicom_out.references import stand_in
from dicom_out.stamp import stamp
from dicom_out.statements import NOT_REVIEWED
from inference.findings import Analysis

SERIES_NUMBER = 9002


def report(
    analysis: Analysis,
    series: SourceSeries,
    pictures: Sequence[Dataset],
    further: Sequence[Dataset],
    provenance: Provenance,
    annotations: Sequence[Dataset] = (),
) -> Dataset:
    """The report on one analysis; `pictures` are the card and those of its key slices, in their order.

    What is `further` in the result stands among the evidence (PS3.3 C.17.2), so that the report leads to it. Of
    `annotations`, the headers of what marked the series, it names the one that the slices were selected by.
    """
    name = ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance)
    marking = _marking(analysis, annotations)
    scope = Scope(analysis, series, pictures[0], tuple(pictures[1:]), marking, name)
    marks = () if marking is None else (marking,)
    evidence = [stand_in(ds) for ds in (*series.by_uid.values(), *pictures, *further, *marks)]
    content = _content(scope)
    within, content[0].ContentSequence = content[0].ContentSequence, []
    ds = hd.sr.Comprehensive3DSR(
        evidence=evidence,
        content=content,
        series_instance_uid=name.uid(Comprehensive3DSRStorage, Kind.REPORT_SERIES),
        series_number=SERIES_NUMBER,
        sop_instance_uid=name.uid(Comprehensive3DSRStorage, Kind.REPORT),
        instance_number=1,
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=_predecessors(analysis, provenance),
        coding_schemes=[codes.private_scheme()],
        series_description="AI RESEARCH report PIMA/IPN",
    )
    ds.ContentSequence = within  # only now: what it is given highdicom copies, reads back and searches twice
    ds.CompletionFlagDescription = NOT_REVIEWED
    stamp(ds, series.reference, provenance, taking_part(analysis, provenance.software_version))
    return ds


def _marking(analysis: Analysis, annotations: Sequence[Dataset]) -> Dataset | None:
    """The header of the annotation that the slices were selected by."""
    mark = analysis.selected_by
    if mark is None:
        return None
    for ds in annotations:
        if mark.sop_instance_uid == ds.SOPInstanceUID:
            return ds
    raise SourceMissing(f"no header for annotation {mark.sop_instance_uid}, have {len(annotations)}")


def _predecessors(analysis: Analysis, provenance: Provenance) -> list[Dataset] | None:
    """The earlier report, which this one replaces (PS3.3 C.17.2)."""
    earlier = provenance.predecessor
    if earlier is None:
        return None
    ds = Dataset()
    ds.SOPClassUID = earlier.sop_class_uid
    ds.SOPInstanceUID = earlier.sop_instance_uid
    ds.SeriesInstanceUID = earlier.series_instance_uid
    ds.StudyInstanceUID = analysis.study_instance_uid
    return [ds]


def _content(scope: Scope) -> MeasurementReport:
    installation_id = scope.name.provenance.installation_id
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=observer(Device.of(scope.analysis.classifier), installation_id)
        ),
        procedure_reported=codes.PROCEDURE_REPORTED,
        imaging_measurements=list(measurement_groups(scope)),
        title=codes.TITLE,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept.from_code(codes.LANGUAGE)
        ),
    )
    _separate(content)
    return content


def _separate(items: Sequence[Dataset]) -> None:
    """Headings and values apart: with CONTINUOUS, which highdicom writes, OHIF prints values without names."""
    for item in items:
        if item.ValueType == "CONTAINER":
            item.ContinuityOfContent = "SEPARATE"
        _separate(item.get("ContentSequence", ()))
