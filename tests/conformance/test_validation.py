"""Our own check of result objects: silent about every object we make, and each planted fault is found."""

import json
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    CTImageStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    MRImageStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)

from dicom_out import codes
from dicom_out.encode import content, encode
from dicom_out.finding import Finding
from dicom_out.identity import Provenance
from dicom_out.iods import IODS
from dicom_out.validation import findings
from inference.findings import Analysis, SlicePolicy
from tests.analyses import EVERYTHING, PROVENANCE, analysis_of, ct_headers
from tests.conformance import variants
from tests.conformance.variants import VARIANTS, Objects, encoded, headers_of_sex, headers_with, result

STANDARD = {  # our tables against another transcription of PS3.3
    "secondary-capture-image": SecondaryCaptureImageStorage,
    "comprehensive-3d-sr": "1.2.840.10008.5.1.4.1.1.88.34",
    "comprehensive-sr": "1.2.840.10008.5.1.4.1.1.88.33",
    "enhanced-sr": "1.2.840.10008.5.1.4.1.1.88.22",
    "key-object-selection-document": KeyObjectSelectionDocumentStorage,
    "segmentation": "1.2.840.10008.5.1.4.1.1.66.4",
    "parametric-map": ParametricMapStorage,
    "grayscale-softcopy-presentation-state": GrayscaleSoftcopyPresentationStateStorage,
}


def as_sent(objects: Objects) -> list[Dataset]:
    """The objects as they are read from their files."""
    return [dcmread(BytesIO(content(ds))) for ds in objects]


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_found_in_what_we_make(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[tuple[Sequence[Dataset], Sequence[Dataset]]] = []

    def encoding(
        analysis: Analysis,
        sources: Sequence[Dataset],
        provenance: Provenance,
        annotations: Sequence[Dataset] = (),
    ) -> Objects:
        handed.append((sources, annotations))
        return encode(analysis, sources, provenance, annotations, **EVERYTHING)

    monkeypatch.setattr(variants, "encode", encoding)
    objects = VARIANTS[variant]()
    assert findings(as_sent(objects), *handed[-1]) == ()


@pytest.mark.parametrize("sex", [b"U ", b"N ", b"m ", b"female"])
def test_an_odd_value_of_the_source_is_the_sources_own(sex: bytes) -> None:
    assert findings(as_sent(encoded(headers_of_sex(sex))), headers_of_sex(sex)) == ()


@pytest.mark.realdata
def test_nothing_is_found_in_a_result_of_a_real_study(real_data: Path) -> None:
    slices = sorted((real_data / "chest/lung_dx_A0002/B70f").glob("*.dcm"))
    headers = [dcmread(path, stop_before_pixels=True) for path in slices]
    objects = as_sent(encode(analysis_of(headers), headers, PROVENANCE))
    assert findings(objects, [dcmread(path, stop_before_pixels=True) for path in slices]) == ()


@pytest.mark.parametrize("iod", STANDARD)
def test_the_tables_ask_for_all_that_the_standard_always_asks_for(iod: str) -> None:
    tables = files("highdicom") / "_standard"
    modules = json.loads((tables / "iod_module_map.json").read_text())[iod]
    attributes = _attributes()
    ours = IODS[STANDARD[iod]].modules  # type: ignore[index]
    given = {keyword for module in ours for keyword in (*module.type_1, *module.type_2)}
    given |= IODS[STANDARD[iod]].values.keys()  # type: ignore[index]
    for module in modules:
        if module["usage"] == "M" and module["key"] != "sr-document-content":  # there by type of item
            assert attributes[module["key"]] <= given, module["key"]


@cache
def _attributes() -> dict[str, set[str]]:
    """Type 1 and 2 attributes of each module, those in sequences apart."""
    table = json.loads((files("highdicom") / "_standard" / "module_attribute_map.json").read_text())
    return {
        module: {a["keyword"] for a in attributes if a["type"] in "12" and not a["path"]}
        for module, attributes in table.items()
    }


def _walk(item: Dataset) -> Iterator[Dataset]:
    yield item
    for child in item.get("ContentSequence", ()):
        yield from _walk(child)


def _named(report: Dataset, code: str) -> Dataset:
    """The first content item of that concept name."""
    return next(
        item
        for item in _walk(report)
        if "ConceptNameCodeSequence" in item and item.ConceptNameCodeSequence[0].CodeValue == code
    )


def _dropped(report: Dataset, code: str) -> None:
    """Without the first content item of that concept name."""
    gone = _named(report, code)
    for item in _walk(report):
        if "ContentSequence" in item:
            item.ContentSequence = [child for child in item.ContentSequence if child is not gone]


def _raw(ds: Dataset, keyword: str, vr: str, value: bytes) -> None:
    ds[Tag(keyword)] = RawDataElement(Tag(keyword), vr, len(value), value, 0, False, True)


def _set(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, keyword, value)


def _without(keyword: str) -> Callable[[Dataset], None]:
    def plant(ds: Dataset) -> None:
        del ds[keyword]

    return plant


def _in_item(code: str, keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda report: setattr(_named(report, code), keyword, value)


def _unit(code: str, unit: str, scheme: str = "UCUM") -> Callable[[Dataset], None]:
    def plant(report: Dataset) -> None:
        units = _named(report, code).MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
        units.CodeValue, units.CodingSchemeDesignator = unit, scheme

    return plant


def _number(value: str) -> Callable[[Dataset], None]:
    return lambda report: setattr(
        _named(report, codes.PROBABILITY.value).MeasuredValueSequence[0], "NumericValue", value
    )


def _value_code(code: str, value: str, scheme: str = "SCT", meaning: str = "x") -> Callable[[Dataset], None]:
    def plant(report: Dataset) -> None:
        given = _named(report, code).ConceptCodeSequence[0]
        given.CodeValue, given.CodingSchemeDesignator, given.CodeMeaning = value, scheme, meaning

    return plant


def _finding(report: Dataset) -> None:
    """A diagnosis where the finding should be neutral."""
    _value_code("363698007", "254626006", meaning="Adenocarcinoma of lung")(report)
    name = _named(report, "363698007").ConceptNameCodeSequence[0]
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "121071", "DCM", "Finding"


def _reference(code: str, keyword: str, value: str) -> Callable[[Dataset], None]:
    return lambda report: setattr(_named(report, code).ReferencedSOPSequence[0], keyword, value)


def _evidence(report: Dataset) -> Dataset:
    series: Dataset = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    return series


def _unlisted(report: Dataset) -> None:
    for series in report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence:
        series.ReferencedSOPSequence = list(series.ReferencedSOPSequence)[1:]


def _repeated_tracking(report: Dataset) -> None:
    uids = [i for i in _walk(report) if i.ValueType == "UIDREF" and i.RelationshipType == "HAS OBS CONTEXT"]
    uids[-1].UID = uids[1].UID


def _device(keyword: str, value: str | None) -> Callable[[Dataset], None]:
    def plant(ds: Dataset) -> None:
        device = ds.ContributingEquipmentSequence[0]
        if value is None:
            del device[keyword]
        else:
            setattr(device, keyword, value)

    return plant


def _meta(keyword: str, value: str) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds.file_meta, keyword, value)


def _comment(old: str, new: str) -> Callable[[Dataset], None]:
    return lambda ds: setattr(ds, "ImageComments", ds.ImageComments.replace(old, new))


SMALL_SOURCES = ct_headers(rows=64, columns=64)
Fault = tuple[Callable[[Dataset], None], str]

ANYWHERE: dict[str, Fault] = {
    "no patient name": (_without("PatientName"), "PatientName"),
    "no birth date": (_without("PatientBirthDate"), "PatientBirthDate"),
    "no study id": (_without("StudyID"), "StudyID"),
    "no manufacturer": (_without("Manufacturer"), "Manufacturer"),
    "no modality": (_without("Modality"), "Modality"),
    "empty study": (_set("StudyInstanceUID", ""), "StudyInstanceUID"),
    "no equipment": (_without("ContributingEquipmentSequence"), "ContributingEquipmentSequence"),
    "another class": (_set("SOPClassUID", CTImageStorage), "SOPClassUID"),
    "another patient": (_set("PatientID", "P-4712"), "PatientID"),
    "another name": (_set("PatientName", "Doe^John"), "PatientName"),
    "another birth date": (_set("PatientBirthDate", "19610204"), "PatientBirthDate"),
    "another study": (_set("StudyInstanceUID", "1.2.3"), "StudyInstanceUID"),
    "another accession": (_set("AccessionNumber", "A2"), "AccessionNumber"),
    "an invented weight": (_set("PatientWeight", "70"), "PatientWeight"),
    "series of the source": (
        _set("SeriesInstanceUID", ct_headers(1)[0].SeriesInstanceUID),
        "SeriesInstanceUID",
    ),
    "uid of a source": (_set("SOPInstanceUID", ct_headers(1)[0].SOPInstanceUID), "SOPInstanceUID"),
    "no research": (_set("ContentQualification", "PRODUCT"), "ContentQualification"),
    "no heading": (_set("SeriesDescription", "Report"), "SeriesDescription"),
    "the patient in a description": (_set("SeriesDescription", "AI RESEARCH P-4711"), "SeriesDescription"),
    "long uid": (_set("SeriesInstanceUID", "2.25." + "1" * 60), "SeriesInstanceUID"),
    "malformed uid": (_set("DeviceUID", "2.25.01"), "DeviceUID"),
    "malformed date": (_set("ContentDate", "20261324"), "ContentDate"),
    "malformed time": (_set("ContentTime", "9 o'clock"), "ContentTime"),
    "long series number": (lambda ds: _raw(ds, "SeriesNumber", "IS", b"1234567890123 "), "SeriesNumber"),
    "words for a number": (lambda ds: _raw(ds, "InstanceNumber", "IS", b"one "), "InstanceNumber"),
    "long description": (_set("SeriesDescription", "AI RESEARCH " + "x" * 60), "SeriesDescription"),
    "meta of another object": (_meta("MediaStorageSOPInstanceUID", "1.2"), "MediaStorageSOPInstanceUID"),
    "meta of another class": (_meta("MediaStorageSOPClassUID", CTImageStorage), "MediaStorageSOPClassUID"),
    "another syntax": (_meta("TransferSyntaxUID", ImplicitVRLittleEndian), "TransferSyntaxUID"),
    "another program": (_meta("ImplementationClassUID", "1.2.3"), "ImplementationClassUID"),
    "no device uid": (_device("DeviceUID", None), r"ContributingEquipmentSequence\[0\].DeviceUID"),
    "no purpose": (
        _device("PurposeOfReferenceCodeSequence", None),
        r"ContributingEquipmentSequence\[0\].Purpose",
    ),
}
IN_REPORT: dict[str, Fault] = {
    "no performed procedure": (_without("PerformedProcedureCodeSequence"), "PerformedProcedureCodeSequence"),
    "no step": (
        _without("ReferencedPerformedProcedureStepSequence"),
        "ReferencedPerformedProcedureStepSequence",
    ),
    "no content date": (_without("ContentDate"), "ContentDate"),
    "verified": (_set("VerificationFlag", "VERIFIED"), "VerificationFlag"),
    "final": (_set("PreliminaryFlag", "FINAL"), "PreliminaryFlag"),
    "no flag": (_without("PreliminaryFlag"), "PreliminaryFlag"),
    "unknown completion": (_set("CompletionFlag", "DONE"), "CompletionFlag"),
    "continuous": (_set("ContinuityOfContent", "CONTINUOUS"), "ContinuityOfContent"),
    "continuous within": (_in_item("126010", "ContinuityOfContent", "CONTINUOUS"), "ContinuityOfContent"),
    "no language": (lambda ds: _dropped(ds, "121049"), "Language"),
    "another language": (_value_code("121049", "de", "RFC5646"), "Language"),
    "no observer type": (lambda ds: _dropped(ds, "121005"), "Observer Type"),
    "no observer uid": (lambda ds: _dropped(ds, "121012"), "Device Observer UID"),
    "another observer": (_in_item("121015", "TextValue", "Somebody"), "device observer"),
    "no procedure": (lambda ds: _dropped(ds, "121058"), "Procedure reported"),
    "no measurements": (lambda ds: _dropped(ds, "126010"), "Imaging Measurements"),
    "no tracking identifier": (lambda ds: _dropped(ds, "112039"), "Tracking Identifier"),
    "no tracking uid": (lambda ds: _dropped(ds, "112040"), "Tracking Unique Identifier"),
    "tracking uid twice": (_repeated_tracking, "Tracking Unique Identifier"),
    "no algorithm version": (lambda ds: _dropped(ds, "111003"), "Algorithm Version"),
    "another algorithm": (_in_item("111001", "TextValue", "Other"), "algorithm"),
    "another title": (
        lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodeValue", "126000"),
        "ConceptNameCodeSequence",
    ),
    "another template": (
        lambda ds: setattr(ds.ContentTemplateSequence[0], "TemplateIdentifier", "2000"),
        "ContentTemplateSequence",
    ),
    "wrong relationship": (_in_item("112039", "RelationshipType", "HAS PROPERTIES"), "RelationshipType"),
    "unknown type": (_in_item("112039", "ValueType", "WORDS"), "ValueType"),
    "no text": (lambda ds: _named(ds, "112039").__delattr__("TextValue"), "TextValue"),
    "no concept name": (lambda ds: _named(ds, "112039").__delattr__("ConceptNameCodeSequence"), "Concept"),
    "no number": (lambda ds: _named(ds, "P-PIMA").__delattr__("MeasuredValueSequence"), "MeasuredValue"),
    "unit not of UCUM": (_unit("118565006", "ml", "DCM"), "unit"),
    "unit nobody knows": (_unit("118565006", "milliliter"), "unit"),
    "wrong unit": (_unit("118565006", "mm"), "unit"),
    "a fraction for a percent": (_unit("P-PIMA", "1"), "unit"),
    "percent above 100": (_number("162.71"), "value"),
    "percent without decimals": (_number("62"), "value"),
    "no meaning": (
        lambda ds: _named(ds, "112039").ConceptNameCodeSequence[0].__delattr__("CodeMeaning"),
        "CodeMeaning",
    ),
    "another meaning": (_value_code("CLASS", "IPN", "99PIMAIPN", "Carcinoma"), "ConceptCodeSequence"),
    "code nobody knows": (_value_code("CLASS", "SURE", "99PIMAIPN"), "ConceptCodeSequence"),
    "scheme not identified": (_without("CodingSchemeIdentificationSequence"), "CodeSequence"),
    "class without probability": (lambda ds: _dropped(ds, "P-PIMA"), "Predicted class"),
    "a diagnosis for a finding": (_finding, "> Finding$"),
    "no disclaimer": (lambda ds: _dropped(ds, codes.COMMENT.value), "Comment"),
    "explained by a CT": (
        _reference("130401", "ReferencedSOPClassUID", CTImageStorage),
        "Visual explanation|ReferencedSOPSequence",
    ),
    "unknown instance": (_reference("121112", "ReferencedSOPInstanceUID", "1.2.3"), "ReferencedSOPSequence"),
    "wrong class": (_reference("121112", "ReferencedSOPClassUID", MRImageStorage), "ReferencedSOPSequence"),
    "not in the evidence": (_unlisted, "ReferencedSOPSequence"),
    "no evidence": (
        _without("CurrentRequestedProcedureEvidenceSequence"),
        "CurrentRequestedProcedureEvidenceSequence",
    ),
    "evidence of another series": (
        lambda ds: setattr(_evidence(ds), "SeriesInstanceUID", "1.2.3"),
        "CurrentRequestedProcedureEvidenceSequence",
    ),
    "the patient in a text": (_in_item("112039", "TextValue", "Jane Doe, target"), "TextValue"),
    "the birth date in a text": (_in_item("112039", "TextValue", "born 19610203"), "TextValue"),
}
IN_PICTURE: dict[str, Fault] = {
    "no conversion type": (_without("ConversionType"), "ConversionType"),
    "scanned": (_set("ConversionType", "SD"), "ConversionType"),
    "an original": (_set("ImageType", ["ORIGINAL", "PRIMARY"]), "ImageType"),
    "burned in": (_set("BurnedInAnnotation", "YES"), "BurnedInAnnotation"),
    "burned in or not": (_without("BurnedInAnnotation"), "BurnedInAnnotation"),
    "recognizable": (_set("RecognizableVisualFeatures", "YES"), "RecognizableVisualFeatures"),
    "no planar configuration": (_without("PlanarConfiguration"), "PlanarConfiguration"),
    "by plane": (_set("PlanarConfiguration", 1), "PlanarConfiguration"),
    "grey": (_set("PhotometricInterpretation", "MONOCHROME2"), "PhotometricInterpretation"),
    "no pixels": (_without("PixelData"), "PixelData"),
    "pixels cut short": (lambda ds: setattr(ds, "PixelData", ds.PixelData[:-2]), "PixelData"),
    "no orientation": (_without("PatientOrientation"), "PatientOrientation"),
    "no thickness": (_without("SliceThickness"), "SliceThickness"),
    "no reference indicator": (_without("PositionReferenceIndicator"), "PositionReferenceIndicator"),
    "another place": (_set("ImagePositionPatient", [0, 0, 0]), "ImagePositionPatient"),
    "another grid": (_set("PixelSpacing", [1, 1]), "PixelSpacing"),
    "another frame of reference": (_set("FrameOfReferenceUID", "1.2.3"), "FrameOfReferenceUID"),
    "no frame of reference": (_without("FrameOfReferenceUID"), "FrameOfReferenceUID"),
    "no source": (_without("SourceImageSequence"), "SourceImageSequence"),
    "not listed": (_without("ReferencedSeriesSequence"), "ReferencedSeriesSequence"),
    "another number in its series": (_set("SeriesNumber", 7), "SeriesNumber"),
    "no warning": (_comment("NOT FOR DIAGNOSIS", "DIAGNOSTIC"), "ImageComments"),
    "no statement of the model": (_comment("Demonstration model", "Model"), "ImageComments"),
    "words of nobody": (_comment("; evidence", "; Doe^Jane; evidence"), "ImageComments"),
    "another probability": (_comment("PIMA probability 6", "PIMA probability 9"), "ImageComments"),
    "no comment": (_without("ImageComments"), "ImageComments"),
}
CASES = [
    *((which, name, fault) for which in (1, -1) for name, fault in ANYWHERE.items()),
    *((-1, name, fault) for name, fault in IN_REPORT.items()),
    *((1, name, fault) for name, fault in IN_PICTURE.items()),
]


def _with_fault(which: int, plant: Callable[[Dataset], None]) -> tuple[Finding, ...]:
    objects = [dcmread(BytesIO(file)) for file in _small_files()]
    with disable_value_validation():
        plant(objects[which])
    return findings(objects, SMALL_SOURCES)


@cache
def _small_files() -> tuple[bytes, ...]:
    return tuple(content(ds) for ds in result("small"))


@pytest.mark.parametrize(
    ("which", "fault"),
    [(which, fault) for which, _, fault in CASES],
    ids=[f"{'report' if which < 0 else 'picture'} - {name}" for which, name, _ in CASES],
)
def test_a_planted_fault_is_found(which: int, fault: Fault) -> None:
    plant, where = fault
    found = _with_fault(which, plant)
    assert any(re.search(where, finding.where) for finding in found), found


@pytest.mark.parametrize("name", ["another patient", "another name", "another birth date"])
@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_finding_quotes_nothing_of_the_patient(which: int, name: str) -> None:
    said = " ".join(map(str, _with_fault(which, ANYWHERE[name][0])))
    assert not re.search("4711|4712|Doe|1961", said)


def test_a_picture_that_the_report_does_not_know_is_found() -> None:
    *pictures, report = as_sent(result("scored"))
    other = as_sent(encode(analysis_of(ct_headers(), policy=SlicePolicy.NONE), ct_headers(), PROVENANCE))[-1]
    assert findings([*pictures, report], ct_headers()) == ()
    assert {f.where for f in findings([*pictures, other], ct_headers())} >= {
        "CurrentRequestedProcedureEvidenceSequence",
        "ImageComments",
    }


def test_an_object_sent_twice_is_found() -> None:
    objects = as_sent(result("scored"))
    assert "SOPInstanceUID" in {f.where for f in findings([*objects, objects[0]], ct_headers())}


def _with_further_objects() -> tuple[list[Dataset], list[Dataset]]:
    """A result, what was asked for beside the pictures first and its report last, and its sources."""
    sources = ct_headers(3, rows=32, columns=32)
    made = encode(analysis_of(sources), sources, PROVENANCE, **EVERYTHING)
    *pictures, segmentation, selection, heat_map, presentation, report = as_sent(made)
    return [segmentation, selection, heat_map, presentation, *pictures, report], sources


def _first_value(value: float) -> Callable[[Dataset], None]:
    def plant(ds: Dataset) -> None:
        ds.FloatPixelData = struct.pack("<f", value) + ds.FloatPixelData[4:]

    return plant


def _another_score(ds: Dataset) -> str:
    return re.sub(r"\d+\.\d\d %", "99.99 %", str(_text(ds).UnformattedTextValue))


def _text(ds: Dataset) -> Dataset:
    text: Dataset = ds.GraphicAnnotationSequence[-1].TextObjectSequence[0]
    return text


@pytest.mark.parametrize(
    ("which", "plant", "where"),
    [
        (0, _without("SegmentSequence"), "SegmentSequence"),
        (0, _without("ContentLabel"), "ContentLabel"),
        (0, _without("DimensionOrganizationSequence"), "DimensionOrganizationSequence"),
        (0, _without("DeviceSerialNumber"), "DeviceSerialNumber"),
        (0, _set("Modality", "OT"), "Modality"),
        (0, _set("FrameOfReferenceUID", "1.2.3"), "FrameOfReferenceUID"),
        (0, _without("ReferencedSeriesSequence"), "ReferencedSeriesSequence"),
        (0, lambda ds: setattr(ds.SegmentSequence[0], "SegmentLabel", ""), "SegmentLabel"),
        (0, lambda ds: setattr(ds, "PixelData", ds.PixelData[:-2]), "PixelData"),
        (1, _set("Modality", "SR"), "Modality"),
        (1, _without("ContentDate"), "ContentDate"),
        (1, _in_item("113009", "ContinuityOfContent", "CONTINUOUS"), "ContinuityOfContent"),
        (1, _set("ContentSequence", []), "ContentSequence"),
        (
            1,
            lambda ds: setattr(ds.ContentSequence[-1], "ConceptNameCodeSequence", ds.ConceptNameCodeSequence),
            "For Research",
        ),
        (
            1,
            lambda ds: setattr(ds.ConceptNameCodeSequence[0], "CodeValue", "113000"),
            "ConceptNameCodeSequence",
        ),
        (
            1,
            lambda ds: setattr(
                ds.ContentSequence[-1].ReferencedSOPSequence[0], "ReferencedSOPInstanceUID", "1"
            ),
            "ReferencedSOPSequence",
        ),
        (2, _without("FloatPixelData"), "FloatPixelData"),
        (2, lambda ds: setattr(ds, "FloatPixelData", ds.FloatPixelData[:-4]), "FloatPixelData"),
        (2, _first_value(1.5), "FloatPixelData"),
        (2, _first_value(float("nan")), "FloatPixelData"),
        (2, _set("FrameOfReferenceUID", "1.2.3"), "FrameOfReferenceUID"),
        (2, _set("RecognizableVisualFeatures", "YES"), "RecognizableVisualFeatures"),
        (2, _without("AcquisitionContextSequence"), "AcquisitionContextSequence"),
        (
            2,
            lambda ds: delattr(
                ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0],
                "QuantityDefinitionSequence",
            ),
            "QuantityDefinitionSequence",
        ),
        (3, _set("Modality", "OT"), "Modality"),
        (3, _without("PresentationCreationDate"), "PresentationCreationDate"),
        (3, _without("RescaleIntercept"), "RescaleIntercept"),
        (3, _without("ReferencedSeriesSequence"), "ReferencedSeriesSequence"),
        (3, lambda ds: setattr(_text(ds), "UnformattedTextValue", "Doe^Jane"), "UnformattedTextValue"),
        (3, lambda ds: setattr(_text(ds), "UnformattedTextValue", ""), "UnformattedTextValue"),
        (
            3,
            lambda ds: setattr(_text(ds), "UnformattedTextValue", _another_score(ds)),
            "UnformattedTextValue",
        ),
        (
            3,
            lambda ds: setattr(
                ds.ReferencedSeriesSequence[0].ReferencedImageSequence[0], "ReferencedSOPInstanceUID", "1.2"
            ),
            "ReferencedImageSequence",
        ),
    ],
)
def test_a_fault_planted_in_what_was_asked_for_is_found(
    which: int, plant: Callable[[Dataset], None], where: str
) -> None:
    objects, sources = _with_further_objects()
    with disable_value_validation():
        plant(objects[which])
    found = findings(objects, sources)
    assert any(finding.where.count(where) for finding in found), found


@pytest.mark.parametrize("which", [0, 2, 3])
def test_what_was_asked_for_and_the_report_does_not_list_is_found(which: int) -> None:
    objects, sources = _with_further_objects()
    evidence = objects[-1].CurrentRequestedProcedureEvidenceSequence[0]
    evidence.ReferencedSeriesSequence = [
        series
        for series in evidence.ReferencedSeriesSequence
        if series.SeriesInstanceUID != objects[which].SeriesInstanceUID
    ]
    assert {f.where for f in findings(objects, sources)} == {"CurrentRequestedProcedureEvidenceSequence"}


@pytest.mark.parametrize(
    ("plant", "where"),
    [
        (_comment("NOT FOR DIAGNOSIS", "DIAGNOSTIC"), "ImageComments"),
        (_comment("Demonstration model", "Model"), "ImageComments"),
        (
            lambda ds: setattr(ds, "ImageComments", re.sub(r"(?<=from )[\d.]+", "1.00", ds.ImageComments)),
            "ImageComments",
        ),
        (
            lambda ds: setattr(ds, "ImageComments", re.sub(r"(?<=: )[\d.]+", "1.00", ds.ImageComments)),
            "ImageComments",
        ),
        (_without("ImageComments"), "ImageComments"),
        (_set("SeriesDescription", "AI RESEARCH summaries"), "ImageComments"),
        (_set("ImagePositionPatient", [0, 0, 0]), "FrameOfReferenceUID|ImageOrientationPatient"),
        (_without("ReferencedSeriesSequence"), "ReferencedSeriesSequence"),
    ],
)
def test_a_fault_planted_in_a_summary_card_is_found(plant: Callable[[Dataset], None], where: str) -> None:
    found = _with_fault(0, plant)
    assert any(re.search(where, finding.where) for finding in found), found


def test_pictures_without_a_report_are_no_result() -> None:
    *pictures, _ = as_sent(result("scored"))
    assert "no report" in {finding.given for finding in findings(pictures, ct_headers())}


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("Model", "5.0"), ("Mean^", "PIMA"), ("", ""), ("Slice", "12"), ("Long^X", "Lung")],
)
def test_a_patient_named_like_an_ordinary_word_is_nowhere_quoted(name: str, identifier: str) -> None:
    sources = headers_with(PatientName=name, PatientID=identifier)
    assert findings(as_sent(encoded(sources)), sources) == ()


def test_spaces_at_the_end_of_a_models_statement_are_no_fault() -> None:
    def spaced(analysis: Analysis) -> Analysis:
        return replace(analysis, classifier=replace(analysis.classifier, statements=("One. ", "Two  ")))

    assert findings(as_sent(encoded(ct_headers(), spaced)), ct_headers()) == ()
