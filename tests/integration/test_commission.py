"""Commissioning: what is tried between the node and a destination, and what the record says of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import KeyObjectSelectionDocumentStorage
from rich.console import Console

from config.load import BadConfig
from config.settings import Settings
from node import app
from node.commission import commission, destination_named
from node.commission_patient import way
from node.commission_record import Site
from node.worker import Worker
from tests.nodes import Pacs, recording_pacs

SCREEN = Console(quiet=True)


def _configured(settings: Settings, pacs_port: int, **destination: object) -> Settings:
    there = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": pacs_port, **destination}
    return Settings.model_validate(
        settings.model_dump()
        | {"delivery": {"destinations": [there]}, "ticks": {"completion_s": 0.2, "delivery_s": 0.2}}
    )


@contextmanager
def _site(settings: Settings) -> Iterator[Site]:
    """The node running in this process, known by the port it listens on."""
    with app.running(settings) as port:
        listener = settings.listener.model_copy(update={"port": port})
        known = settings.model_copy(update={"listener": listener})
        yield Site(known.delivery.destinations[0], known, app.open_sessions(known), app.now)


@pytest.fixture
def pacs() -> Iterator[Pacs]:
    with recording_pacs() as pacs:
        yield pacs


def test_questions_alone_leave_nothing_behind(settings: Settings, pacs: Pacs, tmp_path: Path) -> None:
    record = tmp_path / "record.html"
    with _site(_configured(settings, pacs.port)) as site:
        assert commission(site, record, SCREEN)
    page = record.read_text()
    assert pacs.received == {}
    for said in (
        "PACS at 127.0.0.1",
        "reports as Comprehensive 3D SR Storage",
        "nothing has come from PACS yet",
        "Secondary Capture Image Storage",
        "accepted",
        "worth a note",
    ):
        assert said in page


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"ae_title": "OTHER"}, "rejected"),
        ({"port": 1}, "no connection to 127.0.0.1 port 1"),
        ({"commitment": True}, "does not take Storage Commitment Push Model SOP Class (its commitment)"),
    ],
)
def test_what_does_not_work_is_said_and_ends_it(
    settings: Settings, pacs: Pacs, tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    record = tmp_path / "record.html"
    with _site(_configured(settings, pacs.port, **change)) as site:
        assert not commission(site, record, SCREEN, lambda _: iter([("never tried", str)]))
    page = record.read_text()
    assert "Something is wrong" in page
    assert complaint in page
    assert "never tried" not in page


def test_a_destination_that_may_not_send_is_worth_a_note(
    settings: Settings, pacs: Pacs, tmp_path: Path
) -> None:
    strict = _configured(settings, pacs.port)
    listener = strict.listener.model_copy(update={"calling_ae_titles": ("CT",)})
    with _site(strict.model_copy(update={"listener": listener})) as site:
        assert commission(site, tmp_path / "record.html", SCREEN)
    assert "PACS is not among listener.calling_ae_titles (CT)" in (tmp_path / "record.html").read_text()


def test_a_test_patient_goes_the_whole_way_and_is_withdrawn(
    settings: Settings, pacs: Pacs, tmp_path: Path
) -> None:
    configured = _configured(settings, pacs.port)
    stop = threading.Event()
    with _site(configured) as site:
        worker = Worker("w", site.sessions, app.in_process(configured), configured, app.now)
        thread = threading.Thread(target=worker.work, args=[stop])
        thread.start()
        try:
            done = commission(
                site,
                tmp_path / "record.html",
                SCREEN,
                lambda site: way(site, tmp_path / "phantom", patience_s=60),
            )
        finally:
            stop.set()
            thread.join()
    page = (tmp_path / "record.html").read_text()
    assert done, page
    assert "job 1 is WITHDRAWN" in page
    objects = [dcmread(_write(content, tmp_path)) for [content] in pacs.received.values()]
    assert {str(ds.PatientID) for ds in objects} == {"SEDAS-TEST"}
    [note] = [ds for ds in objects if ds.SOPClassUID == KeyObjectSelectionDocumentStorage]
    assert note.ConceptNameCodeSequence[0].CodeValue == "113001"


def _write(content: bytes, folder: Path) -> Path:
    path = folder / "object.dcm"
    path.write_bytes(content)
    return path


def test_a_destination_is_named_as_it_is_configured(settings: Settings) -> None:
    with pytest.raises(BadConfig, match=r"none is named 'archive'; there is pacs"):
        destination_named(_configured(settings, 104), "archive")
