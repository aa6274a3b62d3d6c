"""One cell of the kill matrix: a node under load is killed at one step, started again, killed again, and then left alone."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from sqlalchemy.exc import SQLAlchemyError

from config.load import load
from db import instances
from db.session import Session, Sessions
from tests.databases import Database
from tests.faults.load import Load, Study, Target, write_small
from tests.faults.pacs import Pacs, open_pacs
from tests.faults.points import Point
from tests.faults.reckoning import Toll, all_settled, reckon
from tests.faults.site import stop, write_config
from tests.nodes import listening_port

ROOT = Path(__file__).parents[2]
LIMIT_S = 300.0  # far more than a cell takes; what is under way by then counts as lost
SENDERS = 3
KEPT_DAYS = 30.0
SOON_DAYS = 5e-5  # 4 s, in which a sender that a kill cut off has sent the rest of its study


@dataclass(frozen=True)
class Cell:
    """What came of it."""

    point: str
    database: str
    studies: int
    images: int
    kills: int
    starts: int
    arrivals: int  # at the PACS, repeats included
    seconds: float
    toll: Toll
    steps: tuple[str, ...]


def run_cell(point: Point, database: Database, folder: Path, *, studies: int = 20) -> Cell:
    began = time.monotonic()
    target = Target()
    made = [write_small(number, folder / "sent", revised=point.revised) for number in range(studies)]
    knife = _sharpened(point, folder / "knife")
    sender = Load([made[number::SENDERS] for number in range(SENDERS)], target)
    with open_pacs(Pacs(target)) as pacs, closing(database), _working(sender):
        config = write_config(
            folder,
            database,
            pacs.port,
            commitment=point.commitment,
            receivers=point.receivers,
            images_days=SOON_DAYS if point.retention else KEPT_DAYS,
        )
        settings = load(config, {})
        sessions = Sessions(database.engine(), class_=Session)
        is_finished = partial(_is_finished, sender, made, sessions, images_go=point.retention)
        starts, is_over = 0, False
        while not is_over:
            starts += 1
            is_over = _one_life(config, knife, is_finished, target, until=began + LIMIT_S)
        toll = reckon(sessions, settings, made, sender.acknowledged, pacs.held, images_go=point.retention)
    steps = {line for file in knife.glob("steps-*") for line in file.read_text().splitlines()}
    return Cell(
        point=point.name,
        database="sqlite" if database.is_sqlite else "postgresql",
        studies=studies,
        images=len(sender.acknowledged),
        kills=len(list((knife / "done").iterdir())),
        starts=starts,
        arrivals=pacs.arrivals,
        seconds=round(time.monotonic() - began, 1),
        toll=toll,
        steps=tuple(sorted(steps)),
    )


@contextmanager
def _working(sender: Load) -> Iterator[None]:
    sender.start()
    try:
        yield
    finally:
        sender.end()


def _sharpened(point: Point, folder: Path) -> Path:
    for part in ("plan", "done"):
        (folder / part).mkdir(parents=True)
    (folder / "analysis_s").write_text(str(point.analysis_s))
    for number, (step, passing) in enumerate(point.plan()):
        (folder / "plan" / f"{number:02d}.{passing}").write_text(step)
    return folder


def _one_life(
    config: Path, knife: Path, is_finished: Callable[[], bool], target: Target, *, until: float
) -> bool:
    """From a start to a kill of the node (False), or to the end of all work or of all patience (True)."""
    log = config.with_suffix(".log")
    before = log.stat().st_size if log.exists() else 0
    command = [sys.executable, "-m", "tests.faults.knife", str(knife), "run", "--with-worker"]
    with log.open("ab") as output:
        process = subprocess.Popen([*command, "--config", str(config)], stderr=output, cwd=ROOT, env=_quiet())
    pause = Event()
    try:
        while process.poll() is None and time.monotonic() < until:
            if not target.port:
                target.port = listening_port(log, before)
            elif is_finished():
                return True
            pause.wait(0.1)
        return process.poll() is None
    finally:
        target.port = 0
        if process.poll() is None:
            stop(process)


def _quiet() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def _is_finished(sender: Load, studies: Sequence[Study], sessions: Sessions, *, images_go: bool) -> bool:
    if not sender.is_done():
        return False
    try:
        with sessions() as session:
            settled = all_settled(session, [study.uid for study in studies])
            return settled and not (images_go and instances.studies_on_disk(session))
    except SQLAlchemyError:  # its tables are not made yet
        return False
