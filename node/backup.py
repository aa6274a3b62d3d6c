"""`sedas-node backup`: first the audit heads, then the database, then its files.

A row is written after its file, so that files copied after the rows are all there; a head is written after its row.
"""

import os
import shutil
from pathlib import Path

from rich.console import Console

from config.load import BadConfig
from config.settings import Settings
from db.backup import copy_sqlite
from dicom_out.durable import sync_folder
from node.audit_key import key_file


class BadBackup(OSError):
    """The folder is not fit for a backup, or the copy is not whole."""


def back_up(settings: Settings, folder: Path, screen: Console) -> None:
    """Into `folder`, laid out as the storage folder is. Files are hard links where the disk is the same."""
    storage = settings.storage
    if settings.storage.database_url is None and not storage.sqlite.exists():
        raise BadConfig(f"storage.folder: no node has run in {storage.folder}")
    if folder.exists() and any(folder.iterdir()):
        raise BadBackup(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    heads, database = folder / "audit-heads.jsonl", folder / storage.sqlite.name
    if settings.audit_head_file.exists():
        shutil.copy2(settings.audit_head_file, heads)
    if (source := sqlite_of(settings)) is not None:
        copy_sqlite(source, database)
        screen.print(f"database: {database.stat().st_size} bytes")
    else:
        screen.print("database: not copied; let pg_dump copy it before this command, not after")
    for part in (storage.spool, storage.outbox, storage.quarantine):
        screen.print(f"{part.name}: {_copy(part, folder / part.name)} files")
    screen.print(
        f"not copied: the configuration, and the audit key {key_file(settings)}; keep them elsewhere"
    )


def sqlite_of(settings: Settings) -> Path | None:
    """The file of the database, where it is one."""
    url = settings.storage.url
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def _copy(source: Path, target: Path) -> int:
    """How many files; half-written ones stay, and so does one that goes meanwhile: nothing needed it."""
    count = 0
    for path in source.rglob("*"):
        if path.is_dir() or path.name.endswith(".part"):
            continue
        to = target / path.relative_to(source)
        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            _link_or_copy(path, to)
        except FileNotFoundError:
            continue
        count += 1
    if count:
        sync_folder(target)
    return count


def _link_or_copy(path: Path, to: Path) -> None:
    """No file of ours is changed once it has its name, so that a link is a copy."""
    try:
        os.link(path, to)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one without links
        shutil.copy2(path, to)
