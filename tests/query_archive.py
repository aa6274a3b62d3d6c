"""An archive over TCP that answers C-FIND as a test tells it to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage
from pynetdicom import AE, evt
from pynetdicom.events import Event

from dicom_out.query import STUDY_ROOT_FIND


@dataclass
class Held:
    """A series as it stands there."""

    instances: int
    modality: str = "CT"
    sop_class_uid: str = CTImageStorage


@dataclass
class QueryArchive:
    """What it has, how it answers, and what it was asked."""

    series: dict[str, Held] = field(default_factory=dict)
    counts: bool = True  # gives NumberOfSeriesRelatedInstances
    status: int = 0x0000
    is_silent: bool = False  # takes the question and never answers
    endless: bool = False
    sop_class: UID = STUDY_ROOT_FIND
    asked: list[str] = field(default_factory=list)  # the levels
    port: int = 0
    over: Flag = field(default_factory=Flag)

    def find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier
        self.asked.append(wanted.QueryRetrieveLevel)
        if self.is_silent:
            self.over.wait(60)
        if self.status:
            yield self.status, None
            return
        if wanted.QueryRetrieveLevel == "SERIES":
            for uid, held in self.series.items():
                ds = _answer(wanted, uid)
                ds.Modality = held.modality
                if self.counts:
                    ds.NumberOfSeriesRelatedInstances = held.instances
                yield 0xFF00, ds
        else:
            held = self.series[str(wanted.SeriesInstanceUID)]
            number = 0
            while number < held.instances or (self.endless and not self.over.is_set()):
                ds = _answer(wanted, str(wanted.SeriesInstanceUID))
                ds.SOPInstanceUID, ds.SOPClassUID = f"2.25.{number + 1}", held.sop_class_uid
                number += 1
                yield 0xFF00, ds


def _answer(wanted: Dataset, series: str) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = wanted.QueryRetrieveLevel
    ds.StudyInstanceUID, ds.SeriesInstanceUID = wanted.StudyInstanceUID, series
    return ds


@contextmanager
def query_archive(archive: QueryArchive) -> Iterator[QueryArchive]:
    """It listens while the block runs."""
    archive.over.clear()
    ae = AE("PACS")
    ae.require_called_aet = True
    ae.add_supported_context(archive.sop_class)
    server: Any = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, archive.find)]
    )
    archive.port = server.socket.getsockname()[1]
    try:
        yield archive
    finally:
        archive.over.set()
        ae.shutdown()
