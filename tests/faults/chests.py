"""Whole small chests under ever new UIDs, for senders that do not stop."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from inference.phantom import LesionKind, chest, write_study
from inference.synthetic.study import derived_uid
from tests.faults.load import Study

MOST_OUTSTANDING = 6  # studies; then the senders wait


class Chests:
    """Chests under ever new UIDs; each sender takes the next when the node is not too far behind."""

    def __init__(self, folder: Path, begun: int) -> None:
        self._folder = folder
        self.templates = [self._template(seed) for seed in range(3, 7)]
        self.made = [self._study(number) for number in range(begun)]
        self.outstanding = 0
        self.stop = threading.Event()
        self._lock = threading.Lock()

    def _template(self, seed: int) -> list[Path]:
        folder = self._folder / f"template-{seed}"
        if folder.exists():
            return sorted(folder.iterdir())
        kind = LesionKind.IPN_LIKE if seed % 2 else LesionKind.PIMA_LIKE
        return write_study(chest(seed=seed, lesion=kind, pixels=128, pixel_mm=2.8, slice_mm=10.0), folder)

    def feed(self, unfinished: Sequence[Study]) -> Iterator[Study]:
        """What a run before this one left, then new ones."""
        yield from unfinished
        while not self.stop.wait(0.2):
            if self.outstanding < MOST_OUTSTANDING:
                with self._lock:
                    study = self._study(len(self.made))
                    self.made.append(study)
                yield study

    def _study(self, number: int) -> Study:
        folder = self._folder / "sent" / f"{number:05d}"
        template = self.templates[number % len(self.templates)]
        uid = derived_uid("soak", number)
        images = {str(derived_uid(uid, index)): folder / path.name for index, path in enumerate(template)}
        study = Study(str(uid), images, folder / "rubbish.dcm")
        if not study.rubbish.exists():
            folder.mkdir(parents=True, exist_ok=True)
            for (image, path), source in zip(images.items(), template, strict=True):
                _renamed(source, uid, image).save_as(path, enforce_file_format=True)
            rubbish = _renamed(template[0], uid, str(derived_uid(uid, "rubbish")))
            rubbish.PixelData = rubbish.PixelData[:-2]
            rubbish.save_as(study.rubbish, enforce_file_format=True)
        return study


def _renamed(source: Path, study: UID, image: str) -> Dataset:
    ds = dcmread(source)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, derived_uid(study, "series")
    ds.FrameOfReferenceUID = derived_uid(study, "frame of reference")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(image)
    return ds
