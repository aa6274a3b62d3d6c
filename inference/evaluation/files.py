"""The files of a report."""

from collections.abc import Mapping
from pathlib import Path


def write_files(contents: Mapping[str, bytes], folder: Path) -> None:
    """By name below `folder`, in this order; each is there whole or not at all."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.unfinished")
        unfinished.write_bytes(content)
        unfinished.replace(path)
