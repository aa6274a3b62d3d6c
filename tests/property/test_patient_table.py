"""Whatever bytes a patient table holds, it is read or refused as one, and what was written is what is read."""

import csv
from contextlib import suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from inference.dataset.delimited import BadTable
from inference.dataset.table import Row, read_table

QUICK = settings(max_examples=150, deadline=None)
pieces = st.sampled_from(
    ["patient_id", "label", "age", "PIMA", ",", ";", "\t", "\n", '"', "\0", "\u2028", "7", "ä"]
)
texts = st.lists(pieces, max_size=30).map("".join)
words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)


def read(content: bytes) -> tuple[Row, ...]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        path.write_bytes(content)
        return read_table(path)


@QUICK
@given(
    st.binary(max_size=60)
    | texts.map(str.encode)
    | texts.map(lambda text: f"patient_id,label\n{text}".encode())
)
def test_any_bytes_are_a_table_or_refused_as_one(content: bytes) -> None:
    with suppress(BadTable):
        assert read(content)


@QUICK
@given(st.dictionaries(words, words, min_size=1), st.sampled_from(",;\t"))
def test_what_was_written_is_read(sites: dict[str, str], delimiter: str) -> None:
    text = StringIO()
    csv.writer(text, delimiter=delimiter).writerows(
        [("patient_id", "label", "site"), *((key, "IPN", site) for key, site in sites.items())]
    )
    rows = read(text.getvalue().encode())
    assert [(row.patient_id, row.site) for row in rows] == list(sites.items())
