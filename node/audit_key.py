"""The key of the audit chain: 32 random bytes as 64 hexadecimal digits, in a file of its own."""

import os
import secrets
import tempfile
from pathlib import Path

from config.load import BadConfig
from config.settings import Settings
from db.chain import Key
from dicom_out.durable import make_folder, sync_folder

SIZE = 32  # bytes, the length of a SHA-256


def key_file(settings: Settings) -> Path:
    return settings.audit.key_file or settings.storage.folder / "audit.key"


def read_key(file: Path) -> Key:
    """Raises BadConfig for a file that is not there or holds no key."""
    try:
        secret = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except OSError as error:
        raise BadConfig(f"audit.key_file: {file}: {error.strerror}") from error
    except ValueError:
        secret = b""
    if len(secret) < SIZE:
        raise BadConfig(f"audit.key_file: {file} holds no key: {2 * SIZE} hexadecimal digits")
    return Key(secret)


def make_key(file: Path) -> None:
    """A new key, readable to its owner only and durable; the file of another process that was first stays."""
    make_folder(file.parent)
    descriptor, partial = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as written:
            written.write(f"{secrets.token_hex(SIZE)}\n")
            written.flush()
            os.fsync(written.fileno())
        file.hardlink_to(partial)
    except FileExistsError:
        return
    finally:
        Path(partial).unlink()
    sync_folder(file.parent)
