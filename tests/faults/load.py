"""Studies, and senders that send them as a PACS does: again and again until each image is acknowledged."""

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_out.association import Peer
from dicom_out.outcome import Outcome
from dicom_out.scu import send_files
from inference.phantom import SHARP_KERNEL
from inference.synthetic.study import SeriesFacts, ct_image

PAUSE_S = 0.3
"""Between two studies of a sender, so that images arrive while others are analysed and delivered."""


@dataclass(frozen=True)
class Study:
    uid: str
    images: dict[str, Path]  # by SOP Instance UID
    rubbish: Path  # an image whose pixel data is short
    revised: Mapping[str, Path] = field(default_factory=dict)  # sent after them, with another header

    @property
    def sent_last(self) -> dict[str, Path]:
        return {**self.images, **self.revised}


def write_small(
    number: int, folder: Path, *, slices: int = 3, pixels: int = 64, revised: bool = False
) -> Study:
    """A few small slices of noise: enough for the way of a study, and for a stand-in to speak of."""
    facts = SeriesFacts(number, "small", 2, SHARP_KERNEL, (5.0, 5.0, 5.0), (-160.0, -160.0, 0.0))
    noise = np.random.default_rng(number).integers(-1000, 400, (slices + 1, pixels, pixels), dtype=np.int16)
    made = [ct_image(plane, index, facts) for index, plane in enumerate(noise)]
    made[-1].PixelData = made[-1].PixelData[:-2]
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_written(ds, folder / f"{number:04d}-{index}.dcm") for index, ds in enumerate(made)]
    uids = [str(ds.SOPInstanceUID) for ds in made]
    study = Study(str(facts.study_instance_uid), dict(zip(uids[:-1], paths[:-1], strict=True)), paths[-1])
    return replace(study, revised=_revised(study)) if revised else study


def _revised(study: Study) -> dict[str, Path]:
    """Its images with a comment, which is neither of the pixels nor of patient or study (PS3.3 C.7.6.1)."""
    revised = {}
    for uid, path in study.images.items():
        ds = dcmread(path)
        ds.ImageComments = "sent once more"
        revised[uid] = _written(ds, path.with_suffix(".revised.dcm"))
    return revised


def _written(ds: Dataset, path: Path) -> Path:
    ds.save_as(path, enforce_file_format=True)
    return path


@dataclass
class Target:
    """Where the node listens now; a node that is started again has another port."""

    port: int = 0


@dataclass
class Load:
    """Several senders side by side, each with studies of its own."""

    feeds: Sequence[Iterable[Study]]
    target: Target
    pause_s: float = PAUSE_S
    acknowledged: set[str] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    _sending: list[Future[None]] = field(default_factory=list)

    def start(self) -> None:
        pool = ThreadPoolExecutor(len(self.feeds))
        self._sending = [pool.submit(self._send_all, feed) for feed in self.feeds]
        pool.shutdown(wait=False)

    def is_done(self) -> bool:
        return all(sending.done() for sending in self._sending)

    def end(self) -> None:
        """What a sender died of is raised here."""
        self.stop.set()
        for sending in self._sending:
            sending.result()

    def _send_all(self, studies: Iterable[Study]) -> None:
        for study in studies:
            self._send_until_acknowledged({**_by_path(study.images), study.rubbish: ""})
            self._send_until_acknowledged(_by_path(study.revised))

    def _send_until_acknowledged(self, left: dict[Path, str]) -> None:
        while left and not self.stop.is_set():
            left = self._send(left)
            self.stop.wait(self.pause_s)

    def _send(self, left: dict[Path, str]) -> dict[Path, str]:
        """Send these once; those to send again."""
        again = {}
        peer = Peer("SEDAS", "127.0.0.1", self.target.port)
        for result in send_files(list(left), peer, calling_ae_title="PACS", timeout_s=20.0):
            path = result.path
            assert path is not None
            if result.outcome is Outcome.STORED:
                self.acknowledged.add(left[path])
            elif left[path] or result.outcome is Outcome.TRY_AGAIN:  # rubbish alone may be refused for good
                again[path] = left[path]
        return again


def _by_path(images: Mapping[str, Path]) -> dict[Path, str]:
    return {path: uid for uid, path in images.items()}


def same_object(one: Path, other: Path) -> bool:
    """Is it the same data set, whatever file meta stands before it?"""
    return one.exists() and dcmread(one) == dcmread(other)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
