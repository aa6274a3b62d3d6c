"""One run at a time in a folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.dataset.folder import BadDataset


class Busy(BadDataset):
    """Another run is at work in the folder."""


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """`file` is one that every run in that folder finds there and none replaces. The kernel gives it back, whatever ends us."""
    with file.open("rb+") as held:  # writable, or NFS refuses the lock
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"another run is at work: {file.name} is held by it") from None
        yield
