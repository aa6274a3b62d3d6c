from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_out.durable import write_durably


def test_the_file_is_there_under_its_name_and_nothing_else(tmp_path: Path) -> None:
    path = write_durably(b"content", tmp_path / "a" / "b" / "file.dcm")
    assert path.read_bytes() == b"content"
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_writing_again_replaces(tmp_path: Path) -> None:
    write_durably(b"old", tmp_path / "file")
    write_durably(b"new", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_durably(b"content", tmp_path / "taken")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_many_writers_of_one_file_leave_a_whole_one(tmp_path: Path) -> None:
    contents = [bytes([n]) * 100_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_durably(content, tmp_path / "file"), contents))
    assert (tmp_path / "file").read_bytes() in contents
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
