import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from inference.annotated import select_annotated
from inference.annotations import Annotation, Kind, Unusable
from inference.marks.readers import Contour, Reading, as_annotation, read_json, read_xml
from inference.phantom import as_volume, chest
from inference.volume import CtVolume
from tests.annotation_objects import Mask

Square = tuple[tuple[float, float], ...]


@pytest.fixture(scope="module")
def volume() -> CtVolume:
    return as_volume(chest(seed=3, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=15.0))


def square(first: int, last: int) -> Square:
    """Every pixel of the edge, once round."""
    side = range(first, last)
    return (
        *((float(x), float(first)) for x in side),
        *((float(last), float(y)) for y in side),
        *((float(first + last - x), float(last)) for x in side),
        *((float(first), float(first + last - y)) for y in side),
    )


def outlined(volume: CtVolume, index: int, points: Square, *, included: bool = True) -> Contour:
    return Contour(points, included, volume.positions_mm[index][2], volume.sop_instance_uids[index])


def marked(annotation: Annotation, volume: CtVolume) -> Mask:
    """All lesions together: z, y, x."""
    mask = np.zeros(volume.hu.shape, dtype=np.bool_)
    selection = select_annotated(volume, np.ones(volume.hu.shape, dtype=np.bool_), [annotation])
    for region in selection.regions:
        for k in region.shown:
            mask[k] |= region.plane(k, (64, 64))
    return mask


def reading(volume: CtVolume, *readers: Sequence[Contour]) -> Reading:
    return Reading(volume.series_instance_uid, tuple(tuple(reader) for reader in readers))


def test_a_contour_lies_just_outside_the_nodule(volume: CtVolume) -> None:
    annotation = as_annotation(reading(volume, [outlined(volume, 5, square(20, 30))]), volume, agreeing=1)
    expected = np.zeros(volume.hu.shape, dtype=np.bool_)
    expected[5, 21:30, 21:30] = True
    assert annotation.kind is Kind.CONTOURS
    assert (marked(annotation, volume) == expected).all()


def test_a_hole_is_cut_with_its_edge_in_whatever_order_it_comes(volume: CtVolume) -> None:
    hole = outlined(volume, 5, square(24, 26), included=False)
    annotation = as_annotation(
        reading(volume, [hole, outlined(volume, 5, square(20, 30))]), volume, agreeing=1
    )
    expected = np.zeros(volume.hu.shape, dtype=np.bool_)
    expected[5, 21:30, 21:30] = True
    expected[5, 24:27, 24:27] = False
    assert (marked(annotation, volume) == expected).all()


@pytest.mark.parametrize(("agreeing", "slices"), [(1, [4, 5, 6]), (2, [5, 6]), (3, [6])])
def test_so_many_readers_must_agree(volume: CtVolume, agreeing: int, slices: list[int]) -> None:
    readers = [
        [outlined(volume, k, square(20, 30 + n)) for k in shown]
        for n, shown in enumerate(([4, 5, 6], [5, 6], [6]))
    ]
    found = marked(as_annotation(reading(volume, *readers), volume, agreeing=agreeing), volume)
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == slices
    assert found[6].sum() == (8 + 4 - agreeing) ** 2  # that of the reader who is the last to agree


def test_where_they_do_not_agree_nothing_is_marked_and_it_is_said(volume: CtVolume) -> None:
    apart = [[outlined(volume, 5, square(10, 16))], [outlined(volume, 5, square(30, 36))]]
    annotation = as_annotation(reading(volume, *apart), volume, agreeing=2)
    assert annotation.lesions == ()
    assert annotation.reasons == ("there is no pixel on which 2 of 2 readers agree",)


def test_without_a_uid_the_height_names_the_slice(volume: CtVolume) -> None:
    contour = Contour(square(20, 30), included=True, z_mm=volume.positions_mm[7][2] + 2.0)
    found = marked(as_annotation(reading(volume, [contour]), volume, agreeing=1), volume)
    assert np.flatnonzero(found.any(axis=(1, 2))).tolist() == [7]


@pytest.mark.parametrize("z_mm", [9999.0, math.nan])
def test_a_contour_off_every_slice_is_refused_with_its_reader(volume: CtVolume, z_mm: float) -> None:
    stray = Contour(square(20, 30), included=True, z_mm=z_mm)
    annotation = as_annotation(
        reading(volume, [stray], [outlined(volume, 5, square(20, 30))]), volume, agreeing=1
    )
    assert len(annotation.lesions) == 1
    assert "off the nearest slice" in annotation.reasons[0]


XML = """<?xml version="1.0" encoding="UTF-8"?>
<LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader><SeriesInstanceUid>1.2.3</SeriesInstanceUid></ResponseHeader>
<readingSession><unblindedReadNodule><noduleID>1</noduleID>
<roi><imageZposition>-125.0</imageZposition><imageSOP_UID>1.2.3.4</imageSOP_UID><inclusion>TRUE</inclusion>
<edgeMap><xCoord>10</xCoord><yCoord>20</yCoord></edgeMap><edgeMap><xCoord>12</xCoord><yCoord>20</yCoord></edgeMap>
<edgeMap><xCoord>12</xCoord><yCoord>22</yCoord></edgeMap></roi>
<roi><imageZposition>-122.5</imageZposition><imageSOP_UID>1.2.3.5</imageSOP_UID><inclusion>FALSE</inclusion>
<edgeMap><xCoord>1</xCoord><yCoord>2</yCoord></edgeMap><edgeMap><xCoord>3</xCoord><yCoord>4</yCoord></edgeMap></roi>
</unblindedReadNodule>
<unblindedReadNodule><noduleID>small</noduleID><roi><imageZposition>-1</imageZposition><imageSOP_UID>1.2.3.6</imageSOP_UID>
<inclusion>TRUE</inclusion><edgeMap><xCoord>5</xCoord><yCoord>6</yCoord></edgeMap></roi></unblindedReadNodule>
<nonNodule><nonNoduleID>9</nonNoduleID><locus><xCoord>1</xCoord><yCoord>1</yCoord></locus></nonNodule>
</readingSession><readingSession/></LidcReadMessage>"""


def test_the_readers_xml_is_read_without_small_nodules_and_non_nodules(tmp_path: Path) -> None:
    file = tmp_path / "069.xml"
    file.write_text(XML)
    assert read_xml(file) == Reading(
        "1.2.3",
        (
            (
                Contour(((10.0, 20.0), (12.0, 20.0), (12.0, 22.0)), True, -125.0, "1.2.3.4"),
                Contour(((1.0, 2.0), (3.0, 4.0)), False, -122.5, "1.2.3.5"),
            ),
            (),
        ),
    )


@pytest.mark.parametrize(
    "content",
    [
        "<other/>",
        "",
        XML.replace("1.2.3<", " <"),
        XML.replace("<xCoord>10", "<xCoord>ten"),
        XML.replace("-125.0", "low"),
    ],
)
def test_xml_that_is_no_reading_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "069.xml"
    file.write_text(content)
    with pytest.raises(Unusable):
        read_xml(file)


def test_contours_as_json_are_read(tmp_path: Path) -> None:
    file = tmp_path / "contours.json"
    contour = {"z": -1.5, "inclusion": True, "points": [[1, 2], [3, 4], [5, 6]]}
    file.write_text(json.dumps({"series": "1.2", "readers": [{"contours": [contour]}]}))
    expected = Contour(((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)), included=True, z_mm=-1.5)
    assert read_json(file) == Reading("1.2", ((expected,),))


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"series": "1", "readers": [{"contours": [{"points": [1]}]}]}',
        '{"series": "", "readers": []}',
        '{"series": "1", "readers": [{"contours": [{"z": 1, "inclusion": "False", "points": [[1, 2]]}]}]}',
    ],
)
def test_json_that_is_no_reading_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "contours.json"
    file.write_text(content)
    with pytest.raises(Unusable):
        read_json(file)
