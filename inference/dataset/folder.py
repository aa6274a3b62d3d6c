"""Reading a dataset folder; what is damaged, or was not made whole, is refused by name."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from inference.dataset.manifest import MANIFEST, Case, Manifest, Split

CASES = "cases"
IMAGES, LUNGS, LESION = "images.npy", "lungs.npy", "lesion.npy"
WHITE = 65535  # of `images.npy`: 1.0 of the window, so that a step is 0.02 HU of the default one


class BadDataset(ValueError):
    """A folder that is no dataset, or one that is damaged or leaks."""


@dataclass(frozen=True, eq=False)
class Dataset:
    folder: Path
    manifest: Manifest
    digest: str  # sha256 of `dataset.json`, which holds those of all arrays

    @cached_property
    def cases(self) -> dict[str, Case]:
        return {case.name: case for case in self.manifest.cases}

    def split(self, name: str | None) -> Split:
        """The one of that name; the only one without a name."""
        splits = {split.name: split for split in self.manifest.splits}
        if name is None and len(splits) == 1:
            return self.manifest.splits[0]
        if name not in splits:
            raise BadDataset(f"split {name or 'not named'}, expected one of {', '.join(splits)}")
        return splits[name]

    def images(self, case: str) -> NDArray[np.uint16]:
        """Slices, rows, columns of the network, feet to head, windowed and not masked: 0 to `WHITE`. Mapped, not read."""
        array: NDArray[np.uint16] = self._array(case, IMAGES)
        return array

    def lungs(self, case: str) -> NDArray[np.bool_]:
        """Likewise; everything outside is zero for a network that sees the lungs alone."""
        array: NDArray[np.bool_] = self._array(case, LUNGS)
        return array

    def lesion(self, case: str) -> NDArray[np.bool_]:
        """Likewise; the marked extent, empty where an annotation names slices only."""
        array: NDArray[np.bool_] = self._array(case, LESION)
        return array

    def verify(self, cases: Iterable[str] | None = None) -> None:
        """Reads every array of these cases, or of all, and raises BadDataset for the first that is not the manifest's."""
        for name in self.cases if cases is None else cases:
            case = self.cases[name]
            for file, expected in (
                (IMAGES, case.images_sha256),
                (LUNGS, case.lungs_sha256),
                (LESION, case.lesion_sha256),
            ):
                found = hashlib.sha256(self._bytes(name, file)).hexdigest()
                if found != expected:
                    raise BadDataset(
                        f"{name}/{file}: sha256 {found[:12]}…, the manifest says {expected[:12]}…"
                    )

    def _array(self, case: str, file: str) -> NDArray[Any]:
        try:
            array: NDArray[Any] = np.load(self.folder / CASES / case / file, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise BadDataset(f"{case}/{file}: {type(error).__name__}") from error
        return array

    def _bytes(self, case: str, file: str) -> bytes:
        try:
            return (self.folder / CASES / case / file).read_bytes()
        except OSError as error:
            raise BadDataset(f"{case}/{file}: {error.strerror}") from error


def open_dataset(folder: Path) -> Dataset:
    """Checks the manifest; the arrays are checked by `Dataset.verify`."""
    try:
        content = (folder / MANIFEST).read_bytes()
        manifest = Manifest.model_validate_json(content)
    except OSError as error:
        raise BadDataset(f"{folder.name}: {error.strerror}: {MANIFEST}; was it built to its end?") from error
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadDataset(f"{folder.name}/{MANIFEST}: " + "; ".join(mistakes)) from None
    return Dataset(folder, manifest, hashlib.sha256(content).hexdigest())
