"""The soak: a node at work for a long time, with parallel senders, kills, outages of the PACS and rubbish in between.

`make soak` goes on where a run was cut: the node's folder, what was acknowledged and what the PACS holds stay.
"""

import argparse
import json
import random
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from config.load import load
from db.session import Session, Sessions
from tests.conftest import ROOT
from tests.databases import Database
from tests.faults.chests import Chests
from tests.faults.load import Load, Target
from tests.faults.pacs import Pacs
from tests.faults.processes import Process
from tests.faults.reckoning import Toll, all_settled, outstanding, reckon
from tests.faults.rubbish import throw
from tests.faults.site import write_config
from tests.faults.soak_report import write_report
from tests.faults.weather import Running, Soak, Weather
from tests.postgres import server

SENDERS = 4
DRAIN_S = 300.0  # after the end, for what is under way
SEED = 20261127


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
    if not toll.all:
        shutil.rmtree(folder)  # else it is evidence
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


class Journal:
    """What a run that is cut leaves to the next."""

    def __init__(self, folder: Path, minutes: float) -> None:
        self._soak, self._acknowledged = folder / "soak.json", folder / "acknowledged"
        self._samples = folder / "samples.jsonl"
        self.soak = Soak(**json.loads(self._soak.read_text())) if self._soak.exists() else Soak(minutes)
        known = self._acknowledged.read_text().split() if self._acknowledged.exists() else []
        self.known = set(known)

    def write(self, acknowledged: set[str], processes: Sequence[Process]) -> None:
        new = acknowledged - self.known
        self.known |= new
        self.soak.images = len(self.known)
        at = round(self.soak.seconds, 1)
        sample = {"at": at, "images": len(self.known), "processes": [asdict(one) for one in processes]}
        with self._acknowledged.open("a") as lines:
            lines.writelines(f"{uid}\n" for uid in new)
        with self._samples.open("a") as lines:
            lines.write(json.dumps(sample) + "\n")
        self._soak.write_text(json.dumps(asdict(self.soak)))


def soaked(folder: Path, database: Database, minutes: float) -> tuple[Soak, Toll]:
    journal, target = Journal(folder, minutes), Target()
    pacs = Pacs(target)
    soak = journal.soak
    pacs.remember(folder / "held")
    weather = Weather(soak, pacs, random.Random(f"{SEED} {soak.seconds}"))
    config = write_config(folder, database, pacs.port, commitment=True, quiet_period_s=6.0, lease_s=10.0)
    chests, node = Chests(folder, soak.studies), Running(config, target)
    left = [study for study in chests.made if not study.images.keys() <= journal.known]
    feeds = [chests.feed(left[number::SENDERS]) for number in range(SENDERS)]
    senders = Load(feeds, target, pause_s=0.05, acknowledged=set(journal.known))
    sessions = Sessions(database.engine(), class_=Session)
    throwing = threading.Thread(target=_throw, args=(soak, chests, target), daemon=True)
    senders.start()
    throwing.start()
    began, pause = time.monotonic() - soak.seconds, threading.Event()
    try:
        while soak.seconds < minutes * 60 or not _is_drained(chests, senders, sessions, soak):
            node.ensure()
            processes = node.processes()
            weather.change(processes)
            soak.seconds, soak.studies = time.monotonic() - began, len(chests.made)
            soak.objects, soak.arrivals = len(pacs.held), pacs.arrivals
            journal.write(set(senders.acknowledged), processes)
            with suppress(SQLAlchemyError), sessions() as session:  # its tables may not be made yet
                chests.outstanding = outstanding(session)
            pause.wait(1.0)
    finally:
        chests.stop.set()
        senders.end()
        throwing.join()
        node.end()
        weather.end()
    return soak, reckon(sessions, load(config, {}), chests.made, senders.acknowledged, pacs.held)


def _is_drained(chests: Chests, senders: Load, sessions: Sessions, soak: Soak) -> bool:
    """No new study is sent; is everything at its end, or all patience?"""
    chests.stop.set()
    if soak.seconds > soak.minutes * 60 + DRAIN_S:
        return True
    with sessions() as session:
        return senders.is_done() and all_settled(session, [study.uid for study in chests.made])


def _throw(soak: Soak, chests: Chests, target: Target) -> None:
    rng = random.Random(SEED)
    image = chests.templates[0][0]
    while not chests.stop.wait(rng.uniform(0.3, 1.5)):
        throw(target, rng, image)
        soak.rubbish += 1


if __name__ == "__main__":
    main()
