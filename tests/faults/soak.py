"""The soak: a node at work for a long time, with parallel senders, kills, outages of the PACS and rubbish in between.

`make soak` goes on where a run was cut: the node's folder, what was acknowledged and what the PACS holds stay.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from config.load import load
from db.session import Session, Sessions
from inference.phantom import LesionKind, chest, write_study
from inference.synthetic.study import derived_uid
from tests.conftest import ROOT
from tests.databases import Database
from tests.faults.load import Load, Study, Target
from tests.faults.pacs import Pacs, open_pacs
from tests.faults.processes import Process, processes_of
from tests.faults.reckoning import Toll, all_settled, outstanding, reckon
from tests.faults.rubbish import throw
from tests.faults.site import write_config
from tests.faults.soak_report import write_report
from tests.nodes import listening_port
from tests.postgres import server

SENDERS = 4
MOST_OUTSTANDING = 12  # studies; then the senders wait
CALM_SHARE = 0.25  # of the time, at the end: no kills, no outages
DRAIN_S = 300.0
SEED = 20261127


@dataclass
class Soak:
    """What happened so far; it is kept each second, so that a run that was cut goes on."""

    minutes: float
    seconds: float = 0.0
    studies: int = 0
    images: int = 0  # acknowledged
    objects: int = 0  # at the PACS
    arrivals: int = 0  # there, repeats included
    rubbish: int = 0
    kills: list[tuple[float, str]] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)

    @property
    def calm_from(self) -> float:
        return self.minutes * 60 * (1 - CALM_SHARE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".soak", help="what the run needs, kept until it ends"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    options = parser.parse_args()
    screen = Console(stderr=True, highlight=False, soft_wrap=True)
    folder: Path = options.folder
    if options.database == "postgresql":
        shutil.rmtree(folder, ignore_errors=True)  # its server is made anew
    with _database(options.database, folder) as database:
        soak, toll = soaked(folder, database, options.minutes)
    for fault in toll.all:
        screen.print(fault)
    write_report(options.out, folder / "samples.jsonl", soak, toll)
    shutil.rmtree(folder)
    sys.exit(bool(toll.all))


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[Database]:
    (folder / "state").mkdir(parents=True, exist_ok=True)
    if kind == "postgresql":
        with server() as postgres:
            yield from postgres.lent("template1")
        return
    with closing(Database.at(f"sqlite:///{folder / 'state' / 'sedas-node.sqlite'}")) as made:
        yield made


class Studies:
    """Chests under ever new UIDs; each sender takes the next when the node is not too far behind."""

    def __init__(self, folder: Path, begun: int) -> None:
        self._folder = folder
        self._templates = [self._template(seed) for seed in range(3, 7)]
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

    def feed(self, unfinished: Iterator[Study]) -> Iterator[Study]:
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
        template = self._templates[number % len(self._templates)]
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


class Running:
    """The node, started again whenever it is gone."""

    def __init__(self, config: Path, target: Target) -> None:
        self._command = [sys.executable, "-m", "node", "run", "--with-worker", "--config", str(config)]
        self._log = config.with_suffix(".log")
        self._begins = 0
        self._target = target
        self._process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._target.port = 0
            self._begins = self._log.stat().st_size if self._log.exists() else 0
            with self._log.open("ab") as output:
                self._process = subprocess.Popen(
                    self._command, stderr=output, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
                )
        elif not self._target.port:
            self._target.port = listening_port(self._log, self._begins)

    def processes(self) -> list[Process]:
        return [] if self._process is None else list(processes_of(self._process.pid))

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)


class Weather:
    """Kills and outages at random, until the calm."""

    def __init__(self, soak: Soak, pacs: Pacs, rng: random.Random) -> None:
        self._soak, self._pacs, self._rng = soak, pacs, rng
        self._stack = ExitStack()
        self._stack.enter_context(open_pacs(pacs))
        self._next_kill = soak.seconds + rng.uniform(20, 40)
        self._next_outage = soak.seconds + rng.uniform(40, 80)
        self._outage_ends: float | None = None

    def change(self, processes: list[Process]) -> None:
        now, calm = self._soak.seconds, self._soak.seconds >= self._soak.calm_from
        if self._outage_ends is not None and now >= self._outage_ends:
            self._stack.enter_context(open_pacs(self._pacs))
            self._soak.outages.append((self._next_outage, now))
            self._outage_ends, self._next_outage = None, now + self._rng.uniform(60, 120)
        if calm:
            return
        if self._outage_ends is None and now >= self._next_outage:
            self._stack.close()
            self._next_outage, self._outage_ends = now, now + self._rng.uniform(5, 20)
        if now >= self._next_kill and processes:
            role = self._rng.choice(sorted({process.role for process in processes}))
            victim = self._rng.choice([process for process in processes if process.role == role])
            with suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)
                self._soak.kills.append((now, role))
            self._next_kill = now + self._rng.uniform(15, 40)

    def end(self) -> None:
        self._stack.close()


def soaked(folder: Path, database: Database, minutes: float) -> tuple[Soak, Toll]:
    kept, acknowledged = folder / "soak.json", folder / "acknowledged"
    soak = Soak(**json.loads(kept.read_text())) if kept.exists() else Soak(minutes)
    rng = random.Random(f"{SEED} {soak.seconds}")
    target, studies = Target(), Studies(folder, soak.studies)
    known = set(acknowledged.read_text().split()) if acknowledged.exists() else set()
    unfinished = iter([study for study in studies.made if not study.images.keys() <= known])
    load_ = Load(
        [studies.feed(unfinished)] + [studies.feed(iter(())) for _ in range(SENDERS - 1)], target, 0.05, known
    )
    pacs = Pacs(target)
    pacs.remember(folder / "held")
    weather = Weather(soak, pacs, rng)
    config = write_config(folder, database, pacs.port, commitment=True)
    sessions = Sessions(database.engine(), class_=Session)
    node = Running(config, target)
    throwing = threading.Thread(target=_throw, args=(soak, studies, target), daemon=True)
    load_.start()
    throwing.start()
    began, noted = time.monotonic() - soak.seconds, set(known)
    pause = threading.Event()
    try:
        while soak.seconds < minutes * 60 or not _drained(studies, load_, sessions, soak, minutes):
            node.ensure()
            processes = node.processes()
            weather.change(processes)
            new = load_.acknowledged - noted
            noted |= new
            with acknowledged.open("a") as lines:
                lines.writelines(f"{uid}\n" for uid in new)
            with (folder / "samples.jsonl").open("a") as lines:
                sample = {
                    "at": round(soak.seconds, 1),
                    "images": len(noted),
                    "processes": [asdict(p) for p in processes],
                }
                lines.write(json.dumps(sample) + "\n")
            soak.seconds = time.monotonic() - began
            soak.studies, soak.images = len(studies.made), len(noted)
            soak.objects, soak.arrivals = len(pacs.held), pacs.arrivals
            kept.write_text(json.dumps(asdict(soak)))
            with suppress(SQLAlchemyError), sessions() as session:
                studies.outstanding = outstanding(session)
            pause.wait(1.0)
    finally:
        studies.stop.set()
        load_.end()
        throwing.join()
        node.end()
        weather.end()
    toll = reckon(sessions, load(config, {}), studies.made, load_.acknowledged, pacs.held)
    return soak, toll


def _drained(studies: Studies, load_: Load, sessions: Sessions, soak: Soak, minutes: float) -> bool:
    """The senders take no new study; is everything at its end, or all patience?"""
    studies.stop.set()
    if soak.seconds > minutes * 60 + DRAIN_S:
        return True
    with sessions() as session:
        return load_.is_done() and all_settled(session, [study.uid for study in studies.made])


def _throw(soak: Soak, studies: Studies, target: Target) -> None:
    rng = random.Random(SEED)
    image = next(iter(studies._templates[0]))
    while not studies.stop.wait(rng.uniform(0.3, 1.5)):
        throw(target, rng, image)
        soak.rubbish += 1


if __name__ == "__main__":
    main()
