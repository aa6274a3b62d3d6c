"""The key of the audit chain: made once, kept to its owner, and never exchanged for another."""

import stat
from pathlib import Path

import pytest

from config.load import BadConfig
from config.settings import Settings
from db.audit import OtherAuditKey
from db.session import Sessions
from node import app
from node.audit_key import key_file, make_key, read_key

DIGITS = "0123456789abcdef" * 4


def _configured(settings: Settings, file: Path) -> Settings:
    return settings.model_copy(update={"audit": settings.audit.model_copy(update={"key_file": file})})


def test_a_key_is_made_at_the_first_start_for_its_owner_only(settings: Settings) -> None:
    app.open_sessions(settings)
    file = key_file(settings)
    assert file == settings.storage.folder / "audit.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    key = read_key(file)
    app.open_sessions(settings)
    assert read_key(file) == key
    assert [entry.name for entry in settings.storage.folder.iterdir() if "audit" in entry.name] == [
        "audit.key"
    ]


def test_of_two_that_make_a_key_the_first_one_stays(tmp_path: Path) -> None:
    make_key(tmp_path / "audit.key")
    key = read_key(tmp_path / "audit.key")
    make_key(tmp_path / "audit.key")
    assert read_key(tmp_path / "audit.key") == key
    assert [entry.name for entry in tmp_path.iterdir()] == ["audit.key"]


def test_a_lost_key_is_not_replaced(settings: Settings) -> None:
    app.open_sessions(settings)
    key_file(settings).unlink()
    with pytest.raises(BadConfig, match="No such file"):
        app.open_existing(settings)
    assert not key_file(settings).exists()


def test_a_configured_key_that_is_not_there_is_not_made(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="No such file"):
        app.open_sessions(_configured(settings, tmp_path / "audit.key"))
    assert not (tmp_path / "audit.key").exists()


def test_a_trail_takes_no_other_key(settings: Settings, tmp_path: Path) -> None:
    app.open_sessions(settings)
    (tmp_path / "other.key").write_text(DIGITS)
    with pytest.raises(OtherAuditKey):
        app.open_sessions(_configured(settings, tmp_path / "other.key"))


@pytest.mark.parametrize("content", [b"", b"secret", DIGITS[:-2].encode(), b"\xff" * 32])
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "audit.key"
    file.write_bytes(content)
    with pytest.raises(BadConfig, match="64 hexadecimal digits") as refusal:
        read_key(file)
    assert "secret" not in str(refusal.value)


def test_the_key_does_not_show(sessions: Sessions, tmp_path: Path) -> None:
    (tmp_path / "audit.key").write_text(DIGITS)
    key = read_key(tmp_path / "audit.key")
    assert repr(key) == "Key()"
    assert "secret" not in repr(sessions)
