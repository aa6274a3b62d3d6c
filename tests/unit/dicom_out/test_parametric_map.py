from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from dicom_out.capture import key_slices
from dicom_out.encode import encode, obstacles
from inference.findings import Analysis
from tests.analyses import PROVENANCE, analysis_of, ct_headers

HEADERS = ct_headers(rows=48, columns=40)


def _maps(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> list[Dataset]:
    objects = encode(analysis, headers, PROVENANCE, parametric_map=True)
    return [ds for ds in objects if ds.SOPClassUID == ParametricMapStorage]


def _of(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> Dataset:
    (ds,) = _maps(analysis, headers)
    return ds


def _why_not(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> list[str]:
    return list(obstacles(analysis, headers, parametric_map=True, presentation_state=False))


def test_each_frame_is_the_heat_of_a_key_slice_where_that_lies() -> None:
    analysis = analysis_of(HEADERS)
    warmer = [replace(s, heat=np.full_like(s.heat, n / 10)) for n, s in enumerate(analysis.slices)]
    analysis = replace(analysis, slices=tuple(warmer))
    ds = _of(analysis)
    pixels = np.frombuffer(ds.FloatPixelData, np.float32).reshape(-1, 48, 40)
    assert len(pixels) == len(key_slices(analysis)) == 5
    shown = {
        tuple(map(float, frame.PlanePositionSequence[0].ImagePositionPatient)): plane
        for frame, plane in zip(ds.PerFrameFunctionalGroupsSequence, pixels, strict=True)
    }
    for scored in key_slices(analysis):
        assert (shown[scored.position_mm] == scored.heat).all()
    assert _why_not(analysis) == []


def test_the_stored_numbers_are_the_values_and_say_of_what() -> None:
    ds = _of(analysis_of(HEADERS))
    (mapping,) = ds.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1.0, 0.0)
    assert mapping.DoubleFloatRealWorldValueFirstValueMapped == 0.0
    assert mapping.DoubleFloatRealWorldValueLastValueMapped == 1.0
    unit, quantity = mapping.MeasurementUnitsCodeSequence[0], mapping.QuantityDefinitionSequence[0]
    assert (unit.CodeValue, unit.CodingSchemeDesignator) == ("1", "UCUM")
    assert quantity.ConceptCodeSequence[0].CodeValue == "130403"
    assert mapping.LUTExplanation == "Evidence for PIMA; 1 is the peak of the study"


def test_a_frame_names_all_slices_of_its_slab() -> None:
    analysis = analysis_of(HEADERS)
    slab = tuple(str(h.SOPInstanceUID) for h in HEADERS[2:5])
    ds = _of(replace(analysis, slices=(replace(analysis.slices[1], source_uids=slab),)))
    (frame,) = ds.PerFrameFunctionalGroupsSequence
    sources = frame.DerivationImageSequence[0].SourceImageSequence
    assert {str(i.ReferencedSOPInstanceUID) for i in sources} == set(slab)


def test_the_classifier_alone_made_it() -> None:
    analysis = analysis_of(HEADERS)
    (made_by,) = _of(analysis).ContributingEquipmentSequence
    assert made_by.ManufacturerModelName == analysis.classifier.name


@pytest.mark.parametrize(
    ("headers", "change", "why"),
    [
        (HEADERS, Analysis.without_score, "no parametric map: nothing was scored"),
        (
            [h for h in ct_headers(rows=48, columns=40) if h.pop("FrameOfReferenceUID")],
            lambda analysis: analysis,
            "no parametric map: the images name no frame of reference",
        ),
    ],
)
def test_where_there_can_be_none_it_says_why(headers: list[Dataset], change: object, why: str) -> None:
    assert callable(change)
    analysis = change(analysis_of(headers))
    assert _maps(analysis, headers) == []
    assert _why_not(analysis, headers) == [why]
