from pathlib import Path

import numpy as np
import pytest

from inference.annotated import select_annotated
from inference.annotations import Kind
from inference.dataset.delimited import BadTable
from inference.dataset.table import read_slices
from inference.marks.slice_lists import Listed, as_annotation
from inference.phantom import as_volume, chest


@pytest.mark.parametrize(
    "text",
    [
        "sop_instance_uid\n1.2\n1.3\n\n1.2\n",
        "patient_id;sop_instance_uid\nA;1.2\nB;1.3\n",
        "\ufeffsop_instance_uid,lesion\r\n1.2,1\r\n1.3,\r\n",
    ],
)
def test_slices_are_listed_once_each(tmp_path: Path, text: str) -> None:
    file = tmp_path / "slices.csv"
    file.write_text(text, encoding="utf-8")
    assert read_slices(file) == (Listed("1.2"), Listed("1.3"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("uid\n1.2\n", "column sop_instance_uid is missing"),
        ("", "empty"),
        ("sop_instance_uid,name\n1.2,x\n", "column 2 .name. is unknown"),
        ("sop_instance_uid,lesion\n1.2,one\n1.3,1\n", "row 2, lesion"),
        ("sop_instance_uid\n\nMustermann\n", "row 3, sop_instance_uid"),
        (f"sop_instance_uid,lesion\n1.2,{'9' * 5000}\n", "row 2, lesion"),
    ],
)
def test_a_list_that_is_none_is_refused_without_quoting_it(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "slices.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadTable, match=said) as refused:
        read_slices(file)
    assert "Mustermann" not in str(refused.value)


def test_the_lesion_on_most_slices_is_the_target() -> None:
    volume = as_volume(chest(seed=3, lesion=None, pixels=64, pixel_mm=5.6, slice_mm=15.0))
    listed = [Listed(volume.sop_instance_uids[k], lesion) for k, lesion in ((3, 1), (7, 2), (8, 2), (9, 2))]
    annotation = as_annotation(listed, volume)
    selection = select_annotated(volume, np.ones(volume.hu.shape, dtype=np.bool_), [annotation])
    assert selection.kind is Kind.SLICE_LIST
    assert [region.shown for region in selection.regions] == [(7, 8, 9), (3,)]
