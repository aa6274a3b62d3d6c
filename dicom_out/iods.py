"""The attributes that each kind of result object must have (PS3.3), and the values decided for it, as tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from dicom_out.finding import Finding
from dicom_out.header import TYPE_2
from dicom_out.walk import Place, lacking


@dataclass(frozen=True)
class Module:
    """Of one module: what is present with a value (Type 1) and what is present (Type 2).

    Attributes of Type 1C or 2C stand here where their condition always holds for our objects.
    """

    clause: str  # of PS3.3
    type_1: tuple[str, ...] = ()
    type_2: tuple[str, ...] = ()
    brought_by: str = ""  # the attribute whose presence brings the module; empty where it is mandatory


@dataclass(frozen=True)
class Iod:
    clause: str  # of PS3.3
    modules: tuple[Module, ...]
    values: dict[str, tuple[str, ...]]  # what each attribute may say; multiple values with a backslash


_PATIENT = Module("C.7.1.1", type_2=TYPE_2[:4])
_GENERAL_STUDY = Module("C.7.2.1", ("StudyInstanceUID",), TYPE_2[4:])
_GENERAL_EQUIPMENT = Module("C.7.5.1", type_2=("Manufacturer",))
_SOP_COMMON = Module("C.12.1", ("SOPClassUID", "SOPInstanceUID", "ContributingEquipmentSequence"))
_EVERY = (_PATIENT, _GENERAL_STUDY, _GENERAL_EQUIPMENT, _SOP_COMMON)

_GENERAL_SERIES = Module("C.7.3.1", ("Modality", "SeriesInstanceUID"), ("SeriesNumber",))
_FRAME_OF_REFERENCE = Module(
    "C.7.4.1", ("FrameOfReferenceUID",), ("PositionReferenceIndicator",), brought_by="FrameOfReferenceUID"
)
_GENERAL_IMAGE = Module("C.7.6.1", type_2=("InstanceNumber",))
_IMAGE_PLANE = Module(
    "C.7.6.2",
    ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    ("SliceThickness",),
    brought_by="ImagePositionPatient",
)
_IMAGE_PIXEL = Module(
    "C.7.6.3",
    (
        *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated"),
        *("BitsStored", "HighBit", "PixelRepresentation", "PixelData"),
    ),
)
_COMMON_INSTANCE_REFERENCE = Module("C.12.2", ("ReferencedSeriesSequence",))

_SC_EQUIPMENT = Module("C.8.6.1", ("ConversionType",))
_RGB_PICTURE = Module(  # derived (C.7.6.1), of three samples (C.7.6.3), not placed by a gantry (C.7.6.1.1.1)
    "C.7.6.1 and C.7.6.3",
    (
        "ImageType",
        "PlanarConfiguration",
        "BurnedInAnnotation",
        "LossyImageCompression",
    ),
    ("PatientOrientation",),
)
# A summary card of a result without a target shows no slice.
_OF_A_SLICE = Module("C.7.6.1", ("SourceImageSequence",), brought_by="ImagePositionPatient")
_OF_SLICES = Module("C.12.2", _COMMON_INSTANCE_REFERENCE.type_1, brought_by="SourceImageSequence")

_SR_SERIES = Module(
    "C.17.1",
    ("Modality", "SeriesInstanceUID", "SeriesNumber"),
    ("ReferencedPerformedProcedureStepSequence",),
)
_SR_GENERAL = Module(
    "C.17.2",
    (
        *("InstanceNumber", "ContentDate", "ContentTime", "CompletionFlag", "VerificationFlag"),
        "CurrentRequestedProcedureEvidenceSequence",
    ),
    ("PerformedProcedureCodeSequence",),
)
_SR_CONTENT = Module(
    "C.17.3",
    (
        *("ValueType", "ConceptNameCodeSequence", "ContinuityOfContent"),
        *("ContentTemplateSequence", "ContentSequence"),
    ),
)
_KEY_OBJECT_SERIES = Module("C.17.6.1", _SR_SERIES.type_1, _SR_SERIES.type_2)
_KEY_OBJECT_DOCUMENT = Module(
    "C.17.6.2",
    ("InstanceNumber", "ContentDate", "ContentTime", "CurrentRequestedProcedureEvidenceSequence"),
)

_SEGMENTATION_SERIES = Module("C.8.20.1", ("Modality", "SeriesNumber"))
_ENHANCED_GENERAL_EQUIPMENT = Module(
    "C.7.5.2", ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions")
)
_SEGMENTATION_IMAGE = Module(
    "C.8.20.2",
    (
        *("ImageType", "InstanceNumber", "ContentLabel", "LossyImageCompression"),
        *("SegmentationType", "SegmentSequence"),
    ),
    ("ContentDescription",),
)
_FUNCTIONAL_GROUPS = Module(
    "C.7.6.16",
    (
        *("ContentDate", "ContentTime", "InstanceNumber", "NumberOfFrames"),
        *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    ),
)
_MULTI_FRAME_DIMENSION = Module("C.7.6.17", ("DimensionOrganizationSequence",))

_FLOATING_POINT_IMAGE_PIXEL = Module(
    "C.7.6.24",
    (
        *("SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "BitsAllocated"),
        "FloatPixelData",
    ),
)
_PARAMETRIC_MAP_SERIES = Module("C.8.32.1", ("Modality", "SeriesNumber"))
_PARAMETRIC_MAP_IMAGE = Module(
    "C.8.32.2",
    (
        *("ImageType", "InstanceNumber", "ContentLabel", "LossyImageCompression"),
        *("BurnedInAnnotation", "RecognizableVisualFeatures", "PixelPresentation", "PresentationLUTShape"),
    ),
    ("ContentDescription",),
)
_ACQUISITION_CONTEXT = Module("C.7.6.14", type_2=("AcquisitionContextSequence",))

_PRESENTATION_SERIES = Module("C.11.9", ("Modality",))
_PRESENTATION_STATE_IDENTIFICATION = Module(
    "C.11.10",
    ("PresentationCreationDate", "PresentationCreationTime", "InstanceNumber", "ContentLabel"),
    ("ContentDescription",),
)
_PRESENTATION_STATE_RELATIONSHIP = Module("C.11.11", ("ReferencedSeriesSequence",))
_DISPLAYED_AREA = Module("C.10.4", ("DisplayedAreaSelectionSequence",))
_GRAPHIC_ANNOTATION = Module("C.10.5 and C.10.7", ("GraphicAnnotationSequence", "GraphicLayerSequence"))
_MODALITY_LUT = Module(
    "C.11.1", ("RescaleIntercept", "RescaleSlope", "RescaleType"), brought_by="RescaleSlope"
)
_SOFTCOPY_LUT = Module("C.11.8 and C.11.6", ("SoftcopyVOILUTSequence", "PresentationLUTShape"))

_RESEARCH = {"ContentQualification": ("RESEARCH",)}  # C.8.13.2.1.1
_REPORT = {
    **_RESEARCH,
    "Modality": ("SR",),
    "CompletionFlag": ("COMPLETE", "PARTIAL"),
    "VerificationFlag": ("UNVERIFIED",),
    "PreliminaryFlag": ("PRELIMINARY",),
    "ValueType": ("CONTAINER",),
}
_PICTURE = {
    **_RESEARCH,
    "Modality": ("OT",),
    "ImageType": (r"DERIVED\SECONDARY\OTHER",),
    "ConversionType": ("WSD",),
    "BurnedInAnnotation": ("NO",),
    "RecognizableVisualFeatures": ("NO",),
    "LossyImageCompression": ("00", "01"),
    "PhotometricInterpretation": ("RGB",),
    "SamplesPerPixel": ("3",),
    "PlanarConfiguration": ("0",),
    "BitsAllocated": ("8",),
    "BitsStored": ("8",),
    "HighBit": ("7",),
    "PixelRepresentation": ("0",),
}
_SEGMENTATION = {
    **_RESEARCH,
    "Modality": ("SEG",),
    "ImageType": (r"DERIVED\PRIMARY",),
    "SamplesPerPixel": ("1",),
    "PixelRepresentation": ("0",),
    "LossyImageCompression": ("00", "01"),
    "SegmentationType": ("BINARY", "FRACTIONAL", "LABELMAP"),
}
_PARAMETRIC_MAP = {
    **_RESEARCH,
    "Modality": ("OT",),
    "ImageType": (r"DERIVED\PRIMARY\VOLUME\QUANTITY",),
    "SamplesPerPixel": ("1",),
    "PhotometricInterpretation": ("MONOCHROME2",),
    "BitsAllocated": ("32",),
    "BurnedInAnnotation": ("NO",),
    "RecognizableVisualFeatures": ("NO",),
    "LossyImageCompression": ("00", "01"),
    "PixelPresentation": ("MONOCHROME",),
    "PresentationLUTShape": ("IDENTITY",),
}

_SR_MODULES = (*_EVERY, _SR_SERIES, _SR_GENERAL, _SR_CONTENT)
IODS = {
    SecondaryCaptureImageStorage: Iod(
        "A.8.1",
        (
            *_EVERY,
            *(_GENERAL_SERIES, _FRAME_OF_REFERENCE, _SC_EQUIPMENT, _GENERAL_IMAGE, _IMAGE_PLANE),
            *(_IMAGE_PIXEL, _RGB_PICTURE, _OF_A_SLICE, _OF_SLICES),
        ),
        _PICTURE,
    ),
    Comprehensive3DSRStorage: Iod("A.35.13", _SR_MODULES, _REPORT),
    ComprehensiveSRStorage: Iod("A.35.3", _SR_MODULES, _REPORT),
    EnhancedSRStorage: Iod("A.35.2", _SR_MODULES, _REPORT),
    KeyObjectSelectionDocumentStorage: Iod(
        "A.35.4",
        (*_EVERY, _KEY_OBJECT_SERIES, _KEY_OBJECT_DOCUMENT, _SR_CONTENT),
        {**_RESEARCH, "Modality": ("KO",), "ValueType": ("CONTAINER",)},
    ),
    SegmentationStorage: Iod(
        "A.51",
        (
            *_EVERY,
            *(_GENERAL_SERIES, _SEGMENTATION_SERIES, _FRAME_OF_REFERENCE, _ENHANCED_GENERAL_EQUIPMENT),
            *(_GENERAL_IMAGE, _IMAGE_PIXEL, _SEGMENTATION_IMAGE, _FUNCTIONAL_GROUPS, _MULTI_FRAME_DIMENSION),
            _COMMON_INSTANCE_REFERENCE,
        ),
        _SEGMENTATION,
    ),
    ParametricMapStorage: Iod(
        "A.75",
        (
            *_EVERY,
            *(_GENERAL_SERIES, _PARAMETRIC_MAP_SERIES, _FRAME_OF_REFERENCE, _ENHANCED_GENERAL_EQUIPMENT),
            *(_FLOATING_POINT_IMAGE_PIXEL, _PARAMETRIC_MAP_IMAGE, _FUNCTIONAL_GROUPS, _MULTI_FRAME_DIMENSION),
            *(_ACQUISITION_CONTEXT, _COMMON_INSTANCE_REFERENCE),
        ),
        _PARAMETRIC_MAP,
    ),
    GrayscaleSoftcopyPresentationStateStorage: Iod(
        "A.33.1",
        (
            *_EVERY,
            *(_GENERAL_SERIES, _PRESENTATION_SERIES, _PRESENTATION_STATE_IDENTIFICATION),
            *(_PRESENTATION_STATE_RELATIONSHIP, _DISPLAYED_AREA, _GRAPHIC_ANNOTATION),
            *(_MODALITY_LUT, _SOFTCOPY_LUT),
        ),
        {**_RESEARCH, "Modality": ("PR",), "PresentationLUTShape": ("IDENTITY",)},
    ),
}

_REFERENCE = ("ReferencedSOPClassUID", "ReferencedSOPInstanceUID")  # Table 10-11
ITEMS: dict[str, tuple[str, ...]] = {
    "CodingSchemeIdentificationSequence": ("CodingSchemeDesignator",),  # C.12.1
    # C.12.1, and for the last three IHE AIR 6.5.3.1
    "ContributingEquipmentSequence": (
        *("PurposeOfReferenceCodeSequence", "Manufacturer"),
        *("ManufacturerModelName", "SoftwareVersions", "DeviceUID"),
    ),
    "ReferencedSOPSequence": _REFERENCE,  # Table 10-3b and 10-11
    "SourceImageSequence": _REFERENCE,  # C.7.6.1, C.7.6.16.2.6
    "ReferencedInstanceSequence": _REFERENCE,  # C.12.2
    "ReferencedSeriesSequence": ("SeriesInstanceUID",),  # C.12.2, Table C.17-3
    "CurrentRequestedProcedureEvidenceSequence": ("StudyInstanceUID", "ReferencedSeriesSequence"),  # C.17.2
    "PertinentOtherEvidenceSequence": ("StudyInstanceUID", "ReferencedSeriesSequence"),
    "ContentTemplateSequence": ("MappingResource", "TemplateIdentifier"),  # C.18.8
    "MeasuredValueSequence": ("NumericValue", "MeasurementUnitsCodeSequence"),  # C.18.1
    "SegmentSequence": (  # C.8.20.2
        *("SegmentNumber", "SegmentLabel", "SegmentAlgorithmType"),
        *("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence"),
    ),
    "SegmentationAlgorithmIdentificationSequence": (  # Table 10-19
        *("AlgorithmFamilyCodeSequence", "AlgorithmName", "AlgorithmVersion"),
    ),
    "DimensionOrganizationSequence": ("DimensionOrganizationUID",),  # C.7.6.17
    "DimensionIndexSequence": ("DimensionIndexPointer",),
    "SegmentIdentificationSequence": ("ReferencedSegmentNumber",),  # C.8.20.3.1
    "PlanePositionSequence": ("ImagePositionPatient",),  # C.7.6.16.2.3
    "PlaneOrientationSequence": ("ImageOrientationPatient",),  # C.7.6.16.2.4
    "PixelMeasuresSequence": ("PixelSpacing",),  # C.7.6.16.2.1
    "ParametricMapFrameTypeSequence": ("FrameType",),  # C.8.32.3.1
    "RealWorldValueMappingSequence": (  # C.7.6.16.2.11, of floats
        *("LUTExplanation", "LUTLabel", "MeasurementUnitsCodeSequence", "QuantityDefinitionSequence"),
        *("DoubleFloatRealWorldValueFirstValueMapped", "DoubleFloatRealWorldValueLastValueMapped"),
        *("RealWorldValueIntercept", "RealWorldValueSlope"),
    ),
    "ReferencedImageSequence": _REFERENCE,  # C.10.5, C.11.11
    "GraphicLayerSequence": ("GraphicLayer", "GraphicLayerOrder"),  # C.10.7
    "GraphicAnnotationSequence": ("GraphicLayer", "ReferencedImageSequence"),  # C.10.5
    "GraphicObjectSequence": (
        *("GraphicAnnotationUnits", "GraphicDimensions", "NumberOfGraphicPoints", "GraphicData"),
        *("GraphicType", "GraphicFilled"),
    ),
    "TextObjectSequence": ("UnformattedTextValue",),
    "DisplayedAreaSelectionSequence": (  # C.10.4
        *("DisplayedAreaTopLeftHandCorner", "DisplayedAreaBottomRightHandCorner", "PresentationSizeMode"),
    ),
    "SoftcopyVOILUTSequence": ("WindowCenter", "WindowWidth"),  # C.11.8
}
"""What every item of these sequences has, with a value."""

_CODE = ("CodingSchemeDesignator", "CodeMeaning")  # Table 8.8-1
_CODE_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")


def attribute_findings(ds: Dataset, every: Sequence[Place]) -> Iterator[Finding]:
    """What `ds`, of which `every` place is given, lacks of its IOD, and values other than those decided."""
    iod = IODS.get(ds.get("SOPClassUID", ""))
    if iod is None:
        yield Finding.of(ds, "SOPClassUID", str(ds.get("SOPClassUID", "")), "a class of our results")
        return
    for module in iod.modules:
        if not module.brought_by or module.brought_by in ds:
            yield from _lacking(ds, module)
    for keyword, allowed in iod.values.items():
        given = _said(ds, keyword)
        if given not in allowed:
            yield Finding.of(ds, keyword, given or "absent", " or ".join(allowed))
    for place in every:
        yield from _item_findings(ds, place)
    for keyword in ("PixelData", "FloatPixelData"):
        if keyword in ds:
            yield from _pixel_findings(ds, keyword)


def _lacking(ds: Dataset, module: Module) -> Iterator[Finding]:
    for keyword in module.type_1:
        if lack := lacking(ds, keyword):
            yield Finding.of(ds, keyword, lack, f"a value (Type 1, PS3.3 {module.clause})")
    for keyword in module.type_2:
        if lacking(ds, keyword) == "absent":
            yield Finding.of(ds, keyword, "absent", f"at least empty (Type 2, PS3.3 {module.clause})")


def _said(ds: Dataset, keyword: str) -> str:
    """The value of an attribute of ours, several with a backslash between them."""
    if lacking(ds, keyword):
        return ""
    value = ds[keyword].value
    return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value)


def _item_findings(ds: Dataset, place: Place) -> Iterator[Finding]:
    required = _CODE if place.sequence.endswith("CodeSequence") else ITEMS.get(place.sequence, ())
    for keyword in required:
        if lack := lacking(place.item, keyword):
            yield Finding.of(ds, place.below(keyword), lack, "a value (Type 1)")
    if required is _CODE and all(lacking(place.item, keyword) for keyword in _CODE_VALUES):
        yield Finding.of(ds, place.below("CodeValue"), "absent", "a value (PS3.3 table 8.8-1)")


def _pixel_findings(ds: Dataset, pixels: str) -> Iterator[Finding]:
    """Pixel data as long as the image is large, padded to an even number (PS3.5 8.1.1)."""
    bits = int(ds.get("NumberOfFrames", 1) or 1)
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"):
        bits *= int(ds.get(keyword, 0) or 0)
    expected = (bits + 15) // 16 * 2
    if not ds.file_meta.TransferSyntaxUID.is_compressed and len(ds[pixels].value) != expected:
        yield Finding.of(ds, pixels, f"{len(ds[pixels].value)} bytes", f"{expected} bytes")
