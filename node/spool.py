"""A file that grows while its object comes from the network, and has its name only when it is whole and on the disk."""

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

from dicom_out.durable import make_folder, sync_folder

HEAD_BYTES = 1 << 16  # where the attributes of most images end
BEGUN_BYTES = 1 << 18  # that the disk is given to write while more comes
UNHASHED_BYTES = 1 << 20  # that wait for the disk, so that their digest is made while it works
_NUMBERS = count()
_SYNCING = ThreadPoolExecutor(32, thread_name_prefix="fsync")


class SpoolFile:
    """Bytes on their way to the disk, in `folder`, on whose disk the place must be that they get in the end."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.path = folder / f"{os.getpid()}-{next(_NUMBERS)}.part"
        self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", 0)
        self._digest = hashlib.sha256()
        self._unhashed: list[memoryview] = []
        self._synced: Future[None] | None = None
        self.head = b""
        self.size = self._begun = self._hashed = 0
        self.is_placed = False

    def write(self, part: bytes | memoryview) -> None:
        """`part` must not change afterwards. Raises OSError where the disk does not take it."""
        left = memoryview(part)
        if self.size < HEAD_BYTES:
            self.head += left[: HEAD_BYTES - self.size]
        self.size += len(left)
        self._unhashed.append(left)
        if self.size - self._hashed >= UNHASHED_BYTES:
            self._hash()
        while left:
            left = left[self._file.write(left) :]
        if self.size - self._begun >= BEGUN_BYTES:
            self._begun = self.size
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # begin to write, do not wait

    def sync(self) -> Future[None]:
        """Nothing more is written: have the disk take all of it, so that there is less to wait for in `place`."""
        if self._synced is None:
            self._synced = _SYNCING.submit(_sync, self._file.fileno())
        return self._synced

    def _hash(self) -> None:
        for part in self._unhashed:
            self._digest.update(part)
        self._unhashed.clear()
        self._hashed = self.size

    @property
    def sha256(self) -> str:
        self._hash()
        return self._digest.hexdigest()

    def place(self, path: Path) -> None:
        """Give it its name, or another one; durable when this returns."""
        if not self._file.closed:
            self.sync().result()
            self._file.close()
        make_folder(path.parent)
        self.path.replace(path)
        sync_folder(path.parent)
        self.path, self.is_placed = path, True

    def drop(self) -> None:
        if self._synced is not None:
            with suppress(OSError):  # it goes anyway
                self._synced.result()
        self._file.close()
        self.path.unlink(missing_ok=True)


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)
