"""`make fuzz`: every target in turn, round by round, until so many inputs were tried; the next call goes on from there."""

import argparse
import sys
from pathlib import Path

from tests.fuzz import figures
from tests.fuzz.rounds import Round, seeded, tried

ROUND = {
    "pdu": 250_000, "command": 250_000, "reception": 30_000, "conversation": 30_000, "headers": 60_000,
    "annotation": 20_000, "volume": 10_000,
}  # fmt: skip
"""Inputs of a round: each target about as long as another."""


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    arguments.add_argument("--inputs", type=int, default=1_000_000, help="how many in all")
    arguments.add_argument("--folder", type=Path, default=Path(".fuzz"), help="corpora, findings and counts")
    arguments.add_argument(
        "--report", type=Path, help="a folder whose fuzz.json and reliability.md are to say it"
    )
    wanted = arguments.parse_args()
    seeded(wanted.folder)
    done = figures.read(wanted.folder)
    found = False
    while sum(each.inputs for each in done) < wanted.inputs:
        number = len(done) // len(ROUND)
        name = list(ROUND)[len(done) % len(ROUND)]
        result = tried(Round(name, seed=1 + number, inputs=ROUND[name]), wanted.folder)
        done = [*done, result]
        figures.write(done, wanted.folder)
        sys.stdout.write(figures.line(result) + "\n")
        sys.stdout.flush()
        found = found or bool(result.finding or result.reason)
    if wanted.report:
        figures.publish(done, wanted.report)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
