"""The files of a report."""

from collections.abc import Mapping
from pathlib import Path

FIGURES = "figures"


def write_files(contents: Mapping[str, bytes], folder: Path) -> None:
    """By name below `folder`, in this order; each is there whole or not at all. Pictures of an earlier report go."""
    again = any((folder / name).exists() for name in contents if name.endswith(".json"))
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.unfinished")
        unfinished.write_bytes(content)
        unfinished.replace(path)
    for picture in (folder / FIGURES).glob("*.svg") if again else ():
        if f"{FIGURES}/{picture.name}" not in contents:
            picture.unlink()
