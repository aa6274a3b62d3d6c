"""Files that are whole or absent, whatever happens to the process or the machine."""

import os
import tempfile
from pathlib import Path


def write_durably(content: bytes, path: Path) -> Path:
    """`content` under `path`, on the disk before this returns; two writers of one path do not meet."""
    make_folder(path.parent)
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return path


def make_folder(folder: Path) -> None:
    """A folder and its parents, each durable before anything is put into it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """A new name is only durable when the folder that holds it is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
