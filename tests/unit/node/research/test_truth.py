"""Truth joined to studies: all of a table or nothing, and what is replaced stays on record."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from db import audit, jobs, truths
from db.models import Truth
from db.session import Sessions
from db.truths import Statement
from node.research.truth import IMPORTED, BadTruthTable, Imported, import_table
from tests.results import result

HEADER = "study_instance_uid,label,confirmed_by,confirmed_on,size_mm,lobe,hard"


def _table(folder: Path, *rows: str, header: str = HEADER) -> Path:
    file = folder / "truth.csv"
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def _standing(sessions: Sessions) -> dict[str, Statement]:
    with sessions() as session:
        return {study: truths.says(truth) for study, truth in truths.standing(session).items()}


def _events(sessions: Sessions) -> list[str]:
    with sessions() as session:
        return [row.detail for row in audit.trail(session) if row.event == IMPORTED]


def test_statements_are_kept_whether_their_study_is_here_or_not(
    sessions: Sessions, tmp_path: Path, now: datetime
) -> None:
    with sessions.begin() as session:
        job = jobs.image_arrived(session, "1.2.1", now=now)
        jobs.image_arrived(session, "1.2.2", now=now)
        session.add(result(job.id))
    file = _table(
        tmp_path,
        "1.2.1,PIMA,histology,2026-02-03,31.5,RUL,yes",
        "1.2.2,IPN,,,,,",
        "1.2.3,IPN,follow_up,,,,no",
    )
    assert import_table(sessions, file, replace=False, now=now) == Imported(3, 0, 0, (4,), (3,))
    assert _standing(sessions) == {
        "1.2.1": Statement(
            study_instance_uid="1.2.1", label="PIMA", confirmed_by="histology", confirmed_on="2026-02-03",
            size_mm=31.5, lobe="RUL", hard=True,
        ),
        "1.2.2": Statement(study_instance_uid="1.2.2", label="IPN", confirmed_by="not stated"),
        "1.2.3": Statement(study_instance_uid="1.2.3", label="IPN", confirmed_by="follow_up", hard=False),
    }  # fmt: skip
    (detail,) = _events(sessions)
    assert detail.startswith("3 new, 0 replaced, table ")


def test_the_same_table_again_changes_nothing(sessions: Sessions, tmp_path: Path, now: datetime) -> None:
    file = _table(tmp_path, "1.2.1,PIMA,histology,,,,")
    import_table(sessions, file, replace=False, now=now)
    assert import_table(sessions, file, replace=True, now=now).unchanged == 1
    assert len(_events(sessions)) == 1


def test_a_change_needs_replace_and_the_former_statement_stays_with_its_instants(
    sessions: Sessions, tmp_path: Path, now: datetime
) -> None:
    import_table(sessions, _table(tmp_path, "1.2.1,IPN,follow_up,,,,"), replace=False, now=now)
    changed = _table(tmp_path, "1.2.1,PIMA,histology,,,,", "1.2.2,IPN,,,,,")
    with pytest.raises(BadTruthTable, match="row 2: the study is known with another statement"):
        import_table(sessions, changed, replace=False, now=now)
    assert _standing(sessions).keys() == {"1.2.1"}
    later = now + timedelta(days=30)
    assert import_table(sessions, changed, replace=True, now=later).replaced == 1
    assert _standing(sessions)["1.2.1"].label == "PIMA"
    with sessions() as session:
        of_study = select(Truth).where(Truth.study_instance_uid == "1.2.1").order_by(Truth.id)
        rows = [(t.label, t.imported_at, t.replaced_at) for t in session.scalars(of_study)]
    assert rows == [("IPN", now, later), ("PIMA", later, None)]


def test_every_mistake_is_named_by_its_row_and_no_cell_is_quoted(
    sessions: Sessions, tmp_path: Path, now: datetime
) -> None:
    file = _table(
        tmp_path, "1.2.1,PIMA,,,,,", "Doe^Jane,PIMA,,,,,", "1.2.3,Doe^Jane,,,,,", "1.2.4,IPN,,2026-02-30,,,",
        "1.2.5,IPN,,,-3,RXL,maybe", "1.2.1,PIMA,,,,,", "1.2.7,IPN,,03.02.2026,,,",
    )  # fmt: skip
    with pytest.raises(BadTruthTable) as refused:
        import_table(sessions, file, replace=False, now=now)
    text = str(refused.value)
    for words in (
        "row 3, study_instance_uid: ", "row 4, label: ", "row 5, confirmed_on: ", "row 6, size_mm: ", "row 6, lobe: ",
        "row 6, hard: ", "rows 2, 7: the same study_instance_uid", "row 8, confirmed_on: ",
    ):  # fmt: skip
        assert words in text
    assert "Jane" not in text
    assert _standing(sessions) == {}
    assert _events(sessions) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"study_instance_uid,label,patient_name\n1.2,IPN,x\n", "column 3 .* is unknown"),
        (b"study_instance_uid\n1.2\n", "column label is missing"),
        (b"study_instance_uid,label,label\n1.2,IPN,IPN\n", "column label is there 2 times"),
        (b"study_instance_uid,label\n1.2,\xff\n", "not UTF-8"),
        (b'study_instance_uid,label\n"1.2,IPN\n', "no CSV"),
        (b"", "empty"),
    ],
)
def test_what_is_no_such_table_is_refused(
    content: bytes, words: str, sessions: Sessions, tmp_path: Path, now: datetime
) -> None:
    file = tmp_path / "truth.csv"
    file.write_bytes(content)
    with pytest.raises(BadTruthTable, match=words):
        import_table(sessions, file, replace=False, now=now)


def test_a_table_as_a_spreadsheet_writes_it_is_taken_in(
    sessions: Sessions, tmp_path: Path, now: datetime
) -> None:
    file = tmp_path / "truth.csv"
    file.write_bytes(b"\xef\xbb\xbflabel; study_instance_uid;size_mm\r\nIPN; 1.2.1 ;31,5\r\n;;\r\n")
    assert import_table(sessions, file, replace=False, now=now).new == 1
    assert _standing(sessions)["1.2.1"].size_mm == 31.5
