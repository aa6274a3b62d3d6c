from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from dicom_out.capture import key_slices
from dicom_out.encode import content, encode, obstacles
from inference.findings import Analysis, SlicePolicy
from tests.analyses import PROVENANCE, analysis_of, ct_headers
from tests.conformance.sources import read
from tests.conformance.variants import slices_only

HEADERS = ct_headers(rows=48, columns=40)


def _states(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> list[Dataset]:
    objects = encode(analysis, headers, PROVENANCE, presentation_state=True)
    return [ds for ds in objects if ds.SOPClassUID == GrayscaleSoftcopyPresentationStateStorage]


def _of(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> Dataset:
    (ds,) = _states(analysis, headers)
    return ds


def _why_not(analysis: Analysis, headers: Sequence[Dataset] = HEADERS) -> list[str]:
    return list(obstacles(analysis, headers, parametric_map=False, presentation_state=True))


def _shown(ds: Dataset, layer: str) -> dict[str, Dataset]:
    """The annotations of a layer by the image that each is on."""
    return {
        str(annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID): annotation
        for annotation in ds.GraphicAnnotationSequence
        if annotation.GraphicLayer == layer
    }


def test_every_key_slice_shows_the_window_the_outline_and_the_result() -> None:
    analysis = analysis_of(HEADERS)
    ds = _of(analysis)
    keys = {scored.sop_instance_uid for scored in key_slices(analysis)}
    (series,) = ds.ReferencedSeriesSequence
    assert {str(i.ReferencedSOPInstanceUID) for i in series.ReferencedImageSequence} == keys
    assert _shown(ds, "TARGET").keys() == _shown(ds, "RESULT").keys() == keys
    (window,) = ds.SoftcopyVOILUTSequence
    assert (window.WindowCenter, window.WindowWidth) == (-600, 1500)
    assert (ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType) == (-1024, 1, "HU")
    assert _why_not(analysis) == []


def test_the_outline_lies_on_the_edges_of_the_target() -> None:
    scored = analysis_of(HEADERS).slices[0]
    (line,) = _shown(_of(analysis_of(HEADERS)), "TARGET")[scored.sop_instance_uid].GraphicObjectSequence
    columns, rows = np.reshape(line.GraphicData, (-1, 2)).T
    inside_rows, inside_columns = np.nonzero(scored.lesion)
    assert (rows.min(), rows.max()) == (inside_rows.min(), inside_rows.max() + 1)
    assert (columns.min(), columns.max()) == (inside_columns.min(), inside_columns.max() + 1)
    assert line.GraphicAnnotationUnits == "PIXEL"


def _words(analysis: Analysis) -> list[str]:
    annotation = next(iter(_shown(_of(analysis), "RESULT").values()))
    return str(annotation.TextObjectSequence[0].UnformattedTextValue).split("\r\n")


def test_the_words_are_few_and_say_what_it_is() -> None:
    warning = ["RESEARCH USE ONLY", "NOT FOR DIAGNOSIS"]
    analysis = analysis_of(HEADERS)
    assert _words(analysis) == ["AI RESEARCH", "PIMA 62.71 %", "unconfirmed target", *warning]
    unscored = replace(analysis.without_score(), slice_policy=SlicePolicy.ANNOTATED)
    assert _words(unscored) == ["AI RESEARCH", "no score", "marked target", *warning]


def test_where_no_extent_is_known_there_is_no_outline() -> None:
    ds = _of(slices_only(analysis_of(HEADERS)))
    assert [layer.GraphicLayer for layer in ds.GraphicLayerSequence] == ["RESULT"]


def test_a_line_of_many_corners_is_cut_into_pieces_that_can_be_written() -> None:
    headers = ct_headers(rows=256, columns=256)
    analysis = analysis_of(headers, scored=slice(3, 4))
    comb = np.zeros((256, 256), dtype=np.bool_)
    comb[0] = True
    comb[:, ::2] = True
    comb[1::2, 1:-1:8] = True
    analysis = replace(analysis, slices=(replace(analysis.slices[0], lesion=comb),))
    ds = read(content(_of(analysis, headers)))
    (annotation,) = _shown(ds, "TARGET").values()
    lines = [np.reshape(line.GraphicData, (-1, 2)) for line in annotation.GraphicObjectSequence]
    assert max(map(len, lines)) <= 4000
    assert sum(map(len, lines)) > 4000


def test_pixels_that_are_no_squares_keep_their_sides() -> None:
    headers = ct_headers(rows=48, columns=40)
    (area,) = _of(analysis_of(headers), headers).DisplayedAreaSelectionSequence
    assert list(area.PresentationPixelSpacing) == list(headers[0].PixelSpacing)
    assert "PresentationPixelAspectRatio" not in area


def test_where_there_can_be_none_it_says_why() -> None:
    headers = ct_headers(rows=48, columns=40)
    headers[4].RescaleIntercept = "-1000"
    analysis = analysis_of(headers)
    assert _states(analysis, headers) == []
    (why,) = _why_not(analysis, headers)
    assert why.startswith("no presentation state: the key slices differ in their rescale")
    none = analysis_of(headers, policy=SlicePolicy.NONE)
    assert _states(none, headers) == []
    assert _why_not(none, headers) == ["no presentation state: there is no key slice"]
