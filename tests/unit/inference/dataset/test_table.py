"""The patient table as sites write it; every mistake is said at once and no cell is quoted."""

import re
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from inference.dataset.delimited import BadTable
from inference.dataset.table import Part, Row, read_parts, read_table
from inference.evaluation.subject import Sex
from tests.conftest import ROOT

FULL = """\
patient_id,label,confirmed_by,acquired,size_mm,lobe,sex,age,site,hard,study_instance_uid,confirmed_on,follow_up_months,exclude
0017,pima,Histology,2024-02-29,58.5,rll,f,91,Bonn,YES,1.2.840.1,2024-03-07,,
0018,IPN,,,,,,,,,,,,
0019,Ipn,follow_up,2023-01-01,21,LUL,O,0,Ulm,no,1.2.840.2,,6.5,"poor image quality, moved"
"""


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "patients.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def mistakes(path: Path) -> list[str]:
    with pytest.raises(BadTable) as refused:
        read_table(path)
    return str(refused.value).split("\n  ")[1:] or [str(refused.value)]


def test_every_column_is_read(tmp_path: Path) -> None:
    first, second, third = read_table(written(tmp_path, FULL))
    assert first == Row(
        number=2,
        patient_id="0017",
        label="PIMA",
        confirmed_by="histology",
        acquired=date(2024, 2, 29),
        size_mm=58.5,
        lobe="RLL",
        sex=Sex.FEMALE,
        age=91,
        site="Bonn",
        hard=True,
        study_instance_uid="1.2.840.1",
        confirmed_on=date(2024, 3, 7),
    )
    assert second == Row(number=3, patient_id="0018", label="IPN")
    assert second.confirmed_by == "not stated"
    assert (third.age, third.hard, third.follow_up_months) == (0, False, 6.5)
    assert third.exclude == "poor image quality, moved"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_what_a_spreadsheet_writes_is_the_same_table(
    tmp_path: Path, delimiter: str, mark: bytes, ending: str
) -> None:
    text = "\n Label ,PATIENT_ID,size_mm,,\n\nPIMA, 1 ,12.5,,\n,,,,\nIPN,Müller,,,\n\n"
    content = mark + text.replace(",", delimiter).replace("\n", ending).encode()
    assert read_table(written(tmp_path, content)) == (
        Row(number=4, patient_id="1", label="PIMA", size_mm=12.5),
        Row(number=6, patient_id="Müller", label="IPN"),
    )


def test_a_decimal_comma_is_a_point(tmp_path: Path) -> None:
    (row,) = read_table(written(tmp_path, "patient_id;label;size_mm\n1;PIMA;12,5\n"))
    assert row.size_mm == 12.5


def test_all_mistakes_are_said_at_once_and_without_a_cell(tmp_path: Path) -> None:
    found = mistakes(
        written(
            tmp_path,
            "patient_id,label,sise_mm,age,acquired,study_instance_uid\n"
            "SECRET1,PIMA,,63,2024-01-02,1.2.3\n"
            "SECRET2,CANCER,,121,2024-13-02,1.2.3\n"
            "SECRET1,,,62.5,02.01.2024,UID\n"
            ",IPN,,,,,surplus\n",
        )
    )
    assert found[0].startswith("row 1: column 3 (sise_mm) is unknown, expected of patient_id, label, ")
    assert found[1:5] == [
        "rows 2, 4: the same patient_id",
        "rows 2, 3: the same study_instance_uid",
        "row 5: 7 cells under 6 columns",
        "row 3, label: Input should be 'PIMA' or 'IPN'",
    ]
    said = "\n".join(found)
    for where in (
        "row 3, age: ", "row 3, acquired: ", "row 4, label: is empty", "row 4, age: ",
        "row 4, acquired: expected a date as YYYY-MM-DD", "row 4, study_instance_uid: ", "row 5, patient_id: is empty",
    ):  # fmt: skip
        assert where in said
    assert len(found) == 12
    for cell in ("SECRET", "CANCER", "121", "13-02", "62.5", "02.01", "UID'", "surplus"):
        assert cell not in said


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("size_mm", "0.9"),
        ("size_mm", "401"),
        ("size_mm", "nan"),
        ("size_mm", "1e2"),
        ("size_mm", "1_0"),
        ("size_mm", "-3"),
        ("size_mm", "1.234,5"),
        ("age", "-1"),
        ("age", "121"),
        ("acquired", "20240101"),
        ("acquired", "1704067200"),
        ("acquired", "2024-02-30"),
        ("confirmed_on", "2024-W01-1"),
        ("label", "AIS"),
        ("sex", "X"),
        ("lobe", "left"),
        ("hard", "1"),
        ("confirmed_by", "biopsy"),
        ("follow_up_months", "six"),
        ("study_instance_uid", "1.2.840.1/2"),
        ("study_instance_uid", "1." * 32 + "1"),
        ("study_instance_uid", "1.\u0662"),
        ("size_mm", "\u0661\u0662"),
        ("patient_id", "9" * 65),
        ("exclude", "why " * 21),
    ],
)
def test_a_cell_that_is_no_value_of_its_column_is_named(tmp_path: Path, column: str, cell: str) -> None:
    cells = {"patient_id": "SECRET", "label": "PIMA"} | {column: f'"{cell}"'}
    (mistake,) = mistakes(written(tmp_path, f"{','.join(cells)}\n{','.join(cells.values())}\n"))
    assert mistake.startswith(f"row 2, {column}: ")
    assert cell not in mistake


@pytest.mark.parametrize("column", ["exclude", "site"])
def test_a_reason_or_a_site_that_names_the_patient_is_refused(tmp_path: Path, column: str) -> None:
    (mistake,) = mistakes(written(tmp_path, f"patient_id,label,{column}\nAB-1234,PIMA,ab-1234 moved\n"))
    assert mistake == f"row 2, as a whole: {column} names the patient, and stands in reports"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "the table of patients is empty, expected a header row"),
        ("\n\n;;\n", "the table of patients is empty, expected a header row"),
        ("patient_id,label\n", "no row after the header"),
        ("patient_id,label,label\n1,IPN,IPN\n", "row 1: column label is there 2 times"),
        ("patient_id\n1\n", "row 1: column label is missing"),
        ('patient_id,label\n"1,PIMA\n', "the table of patients is no CSV at line 2: unexpected end of data"),
        (
            "patient_id,label\nMüller,PIMA\n".encode("latin-1"),
            "the table of patients is not UTF-8: save it as CSV UTF-8",
        ),
        (
            "patient_id,label\n1,PIMA\n".encode("utf-16"),
            "the table of patients is not UTF-8: save it as CSV UTF-8",
        ),
    ],
)
def test_what_is_no_table_is_said(tmp_path: Path, content: str | bytes, why: str) -> None:
    assert mistakes(written(tmp_path, content)) == [why]


def test_nothing_of_a_patient_in_the_place_of_the_header_is_quoted(tmp_path: Path) -> None:
    found = mistakes(written(tmp_path, "SECRET1,PIMA\nSECRET2,IPN\n"))
    assert found[:2] == ["row 1: column patient_id is missing", "row 1: column label is missing"]
    assert found[2].startswith("row 1: column 1 is unknown")
    assert "SECRET" not in "".join(found).upper()


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=r"^the table of patients cannot be read: No such file or directory$"):
        read_table(tmp_path / "of a patient.csv")


def test_a_row_shows_no_patient_when_printed() -> None:
    assert "SECRET" not in repr(Row(number=2, patient_id="SECRET", label="IPN"))


def test_a_table_of_parts(tmp_path: Path) -> None:
    parts = read_parts(written(tmp_path, "patient_id;part\na;TRAIN\nb;selection\nc;test\n"))
    assert [(each.patient_id, each.part) for each in parts] == [
        ("a", Part.TRAIN),
        ("b", Part.SELECTION),
        ("c", Part.TEST),
    ]


def test_a_patient_in_two_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="rows 2, 4: the same patient_id"):
        read_parts(written(tmp_path, "patient_id,part\na,train\nb,test\na,test\n"))


def test_the_page_on_the_table_names_its_columns() -> None:
    page = (ROOT / "docs" / "patient-table.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert named == [field.name for field in fields(Row) if field.name != "number"]
