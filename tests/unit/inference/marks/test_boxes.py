from pathlib import Path

import numpy as np
import pytest

from inference.annotated import select_annotated
from inference.annotations import Kind, Unusable
from inference.marks.boxes import Box, as_annotation, read_boxes
from inference.phantom import as_volume, chest
from inference.volume import CtVolume
from tests.annotation_objects import Mask

UID = "1.2.826.0.1.3680043.8.498.1"


def written(folder: Path, edges: str, *, name: str = f"{UID}.xml", head: str = "") -> Path:
    file = folder / name
    file.write_text(f"{head}<annotation><object><name>A</name><bndbox>{edges}</bndbox></object></annotation>")
    return file


def edges(left: object, top: object, right: object, bottom: object) -> str:
    return f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"


@pytest.fixture(scope="module")
def volume() -> CtVolume:
    return as_volume(chest(seed=3, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=15.0))


def everywhere(volume: CtVolume) -> Mask:
    return np.ones(volume.hu.shape, dtype=np.bool_)


def box(
    volume: CtVolume, index: int, left: int = 10, top: int = 20, right: int = 15, bottom: int = 23
) -> Box:
    return Box(volume.sop_instance_uids[index], left, top, right, bottom)


def test_a_box_is_of_the_image_that_names_its_file(tmp_path: Path) -> None:
    assert read_boxes(written(tmp_path, edges(134, 274, 216.0, 338))) == (Box(UID, 134, 274, 216, 338),)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<?xml version="1.0"?><!DOCTYPE a>',
    ],
)
def test_a_document_type_is_refused_before_anything_of_it_is_read(tmp_path: Path, head: str) -> None:
    with pytest.raises(Unusable, match="document type"):
        read_boxes(written(tmp_path, edges(1, 2, 3, 4), head=head))


def test_a_document_type_in_another_encoding_is_refused_too(tmp_path: Path) -> None:
    file = tmp_path / f"{UID}.xml"
    file.write_bytes('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><annotation/>'.encode("utf-16"))
    with pytest.raises(Unusable, match="document type"):
        read_boxes(file)


@pytest.mark.parametrize(
    "wrong",
    [edges("x", 2, 3, 4), edges(5, 2, 3, 4), edges(-1, 2, 3, 4), edges("inf", 2, 3, 4), "<xmin>1</xmin>"],
)
def test_a_box_that_is_none_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(Unusable, match="a box"):
        read_boxes(written(tmp_path, wrong))


def test_a_file_that_is_not_named_by_an_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="SOP Instance UID"):
        read_boxes(written(tmp_path, edges(1, 2, 3, 4), name="patient.xml"))


@pytest.mark.parametrize("content", ["<a/>", "no XML", "<annotation>"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / f"{UID}.xml"
    file.write_text(content)
    with pytest.raises(Unusable):
        read_boxes(file)


def test_the_pixels_between_the_edges_are_marked(volume: CtVolume) -> None:
    selection = select_annotated(volume, everywhere(volume), [as_annotation([box(volume, 4)], volume)])
    assert selection.kind is Kind.BOXES
    [region] = selection.regions
    assert region.shown == (4,)
    rows, columns = np.nonzero(region.plane(4, (64, 64)))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (20, 22, 10, 14)


def test_boxes_that_touch_are_one_lesion_also_over_a_slice_that_was_left_out(volume: CtVolume) -> None:
    boxes = [box(volume, 4), box(volume, 5, 12), box(volume, 7, 12)]
    [lesion] = as_annotation(boxes, volume).lesions
    assert len(lesion.shapes) == 3


def test_boxes_apart_are_two_lesions_of_which_the_larger_is_the_target(volume: CtVolume) -> None:
    boxes = [box(volume, 4), box(volume, 4, 40, 20, 60, 30), box(volume, 8)]
    selection = select_annotated(volume, everywhere(volume), [as_annotation(boxes, volume)])
    assert len(selection.regions) == 3
    assert selection.regions[0].corner == (4, 20, 40)


def test_boxes_of_another_series_mark_nothing(volume: CtVolume) -> None:
    assert as_annotation([Box(UID, 1, 1, 2, 2)], volume).lesions == ()


def test_a_box_beyond_the_image_is_said(volume: CtVolume) -> None:
    annotation = as_annotation([box(volume, 4, 60, 60, 70, 63)], volume)
    assert annotation.reasons == ("1 of its boxes reach beyond the 64 x 64 pixels",)
