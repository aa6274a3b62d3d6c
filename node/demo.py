"""`sedas-node demo`: a node, its worker and a small PACS on this machine, and a chest CT on its way through them."""

import json
import shutil
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage
from rich.console import Console
from rich.progress import track

from config.settings import Listener, Settings
from db import audit, jobs, results
from db.models import Job
from db.session import Sessions
from db.states import SETTLED, State
from dicom_out import page
from dicom_out.association import Peer
from dicom_out.durable import write_durably
from dicom_out.iods import IODS
from dicom_out.outcome import Outcome
from dicom_out.scu import send_files
from node import app, scp
from node.headers import Header, read_headers
from node.listing import audit_line
from node.outbound import dicom_files
from node.processes import worker_process
from node.receive import Arrival
from node.storing import gathered

PACS = Listener(ae_title="DEMOPACS", host="127.0.0.1", port=0, calling_ae_titles=("SEDASDEMO",))
SENDS_BACK: Mapping[str, Sequence[str]] = dict.fromkeys(IODS, scp.UNCOMPRESSED)
PHANTOM_SEED = 7
TIMEOUT_S = 480.0
_MARK = ".sedas-node-demo"


class DemoFailed(Exception):
    """The demo did not come to its end; the message says where it stopped."""


@dataclass(frozen=True)
class Places:
    """Where the demo keeps what; made anew each time."""

    folder: Path

    @property
    def ct(self) -> Path:
        return self.folder / "ct"

    @property
    def pacs(self) -> Path:
        return self.folder / "pacs"

    @property
    def node(self) -> Path:
        return self.folder / "node"

    @property
    def config(self) -> Path:
        return self.folder / "node.toml"

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    @property
    def page(self) -> Path:
        return self.folder / "report.html"


def demonstrate(ct: Path | None, folder: Path, screen: Console) -> None:
    places = _prepare(folder.resolve())
    images = _images(ct, places, screen)
    with _pacs(places) as pacs_port:
        settings = _configure(places, pacs_port)
        with (
            worker_process(["--config", str(places.config)], places.log) as workers,
            app.running(settings, workers) as port,
        ):
            sessions = app.open_sessions(settings)
            _send([image.path for image in images], Peer("SEDASDEMO", "127.0.0.1", port), screen)
            studies = {image.study_instance_uid for image in images}
            done = [_follow(sessions, study, screen) for study in sorted(studies)]
            for job in done:
                _print_result(sessions, job, screen)
    _show(places, screen)
    if all(job.state is not State.DONE for job in done):
        raise DemoFailed("no study was analysed: " + "; ".join(f"{job.state}: {job.reason}" for job in done))


def _prepare(folder: Path) -> Places:
    """An empty folder; one that the demo made before is emptied, any other is left alone."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise DemoFailed(
                f"{folder} holds files that the demo did not make; choose another folder by --out"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    return Places(folder)


def write_phantom(folder: Path, header: Mapping[str, str] | None = None) -> list[Path]:
    """The CT of a phantom whose lesion is known to be found; `header` as for `write_study`."""
    from inference.phantom import LesionKind, chest, write_study  # loads SimpleITK

    return write_study(chest(seed=PHANTOM_SEED, lesion=LesionKind.PIMA_LIKE), folder, header=header)


def _images(ct: Path | None, places: Places, screen: Console) -> list[Header]:
    if ct is None:
        screen.print("No CT given: a phantom of a chest with a lesion is made.")
        return read_headers(write_phantom(places.ct))
    images = read_headers(dicom_files(ct))
    if not images:
        raise DemoFailed(f"{ct}: expected a folder of DICOM images, found none")
    return images


@contextmanager
def _pacs(places: Places) -> Iterator[int]:
    """A storage SCP that keeps what it is sent as files."""
    places.pacs.mkdir()

    def keep(content: bytes, arrival: Arrival) -> None:
        write_durably(content, places.pacs / f"{arrival.sop_instance_uid}.dcm")

    with scp.listening(PACS, gathered(keep), SENDS_BACK) as port:
        yield port


def _configure(places: Places, pacs_port: int) -> Settings:
    text = f"""\
[listener]
ae_title = "SEDASDEMO"
host = "127.0.0.1"
port = 0
calling_ae_titles = ["{PACS.ae_title}"]

[storage]
folder = {json.dumps(str(places.node))}

[completion]
quiet_period_s = 2.0

[retention]
minimum_free_bytes = 0

[http]
port = 0

[[delivery.destinations]]
name = "pacs"
ae_title = "{PACS.ae_title}"
host = "127.0.0.1"
port = {pacs_port}
"""
    places.config.write_text(text, encoding="utf-8")
    return Settings.model_validate(tomllib.loads(text))


def _send(files: Sequence[Path], node: Peer, screen: Console) -> None:
    sending = send_files(files, node, calling_ae_title=PACS.ae_title)
    answers = list(track(sending, "sending", total=len(files), console=screen, transient=True))
    stored = sum(answer.outcome is Outcome.STORED for answer in answers)
    screen.print(f"Sent {stored} of {len(files)} images to {node.ae_title} by C-STORE.")
    for reason in sorted({a.answer for a in answers if a.outcome is not Outcome.STORED}):
        screen.print(f"  not stored: {reason}")
    if not stored:
        raise DemoFailed("the node took none of the images")


def _follow(sessions: Sessions, study: str, screen: Console) -> Job:
    """Print what happens to the study's job until it has ended."""
    screen.print(f"\nStudy {study}")
    printed, until = 0, time.monotonic() + TIMEOUT_S
    while time.monotonic() < until:
        with sessions() as session:
            job = jobs.latest_generation(session, study)
            events = audit.trail(session, study)
        for event in events[printed:]:
            screen.print(f"  {audit_line(event)}")
        printed = len(events)
        if job is not None and job.state in SETTLED:
            return job
        time.sleep(0.2)
    raise DemoFailed(f"study {study} has not ended within {TIMEOUT_S:.0f} s")


def _print_result(sessions: Sessions, job: Job, screen: Console) -> None:
    with sessions() as session:
        result = results.of_job(session, job)
        if result is None:
            screen.print(f"  {job.state}: {job.reason}")
            return
        screen.print(f"\nLung volume  {result.lung_volume_ml:.0f} ml")
        if result.targets:
            size = result.targets[0].size_mm
            screen.print(
                f"Target       {'size not marked' if size is None else f'{size:.0f} mm'}, {result.slice_policy}; "
                f"{len(result.targets) - 1} other candidates"
            )
        for score in result.slices:
            number = "no score" if score.probability is None else f"{score.probability:.3f}"
            screen.print(f"  slice {score.instance_number or '?':>4}  {number}")
        if result.probability is not None:
            screen.print(
                f"Probability  {result.probability:.3f} of PIMA (threshold {result.threshold:g}): {result.label}"
            )
        for quality in result.input_quality:
            screen.print(f"Input        {quality.text}")


def _show(places: Places, screen: Console) -> None:
    """The report as a page and the pictures as PNG, and where they are."""
    received = [dcmread(file) for file in places.pacs.glob("*.dcm")]
    received.sort(key=lambda ds: (ds.SeriesNumber, ds.InstanceNumber))
    screen.print(f"\nThe PACS received {len(received)} objects:")
    for ds in received:
        screen.print(f"  {ds.SOPClassUID.name}: {ds.SeriesDescription}")
    pictures: dict[str, bytes] = {}
    for ds in (ds for ds in received if ds.SOPClassUID == SecondaryCaptureImageStorage):
        picture = page.png(ds)
        pictures[str(ds.SOPInstanceUID)] = picture
        (places.folder / f"picture-{len(pictures)}.png").write_bytes(picture)
    for report in (ds for ds in received if ds.SOPClassUID == Comprehensive3DSRStorage):
        places.page.write_text(page.html(report, pictures), encoding="utf-8")
        screen.print(f"Report    {places.page}")
    screen.print(f"Pictures  {places.folder}/picture-*.png")
