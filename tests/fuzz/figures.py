"""What was fuzzed so far: kept beside the corpora, and told in the docs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.rounds import Result

BEGIN, END = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"


_TARGETS = """\
pdu: one PDU; command: one command set; conversation: all bytes of one association, in the node's own steps of it;
reception: a data set that is kept or refused, and then read by all that follows; headers, annotation, volume: the
readers of images, of marks, and of a series of which one file is bad. An input crashed when an exception came out
that is not an answer, and hung when it took more than ten seconds. What was found on the way and mended is an input of
`tests/property/test_bad_input.py`: errors of pydicom that were not taken for a bad file (of zlib, of struct, a
sequence that ends early, a number of three bytes), an association whose thread ended and left its peer waiting, and
a data set of a megabyte that inflates to a thousand."""


def read(folder: Path) -> list[Result]:
    file = folder / "rounds.json"
    return [Result(**row) for row in json.loads(file.read_text())] if file.exists() else []


def write(done: Sequence[Result], folder: Path) -> None:
    (folder / "rounds.json").write_text(json.dumps([asdict(result) for result in done], indent=1) + "\n")


def line(result: Result) -> str:
    said = (
        f"{result.target:13} seed {result.seed:3}  {result.inputs:7,} inputs  {result.seconds:6.1f} s"
        f"  {result.coverage_before} -> {result.coverage} edges"
    )
    if result.finding or result.reason:
        replay = f"python -m tests.fuzz.run {result.target} .fuzz/{result.target}/found/{result.finding}"
        return f"{said}  {result.reason}: SEDAS_FUZZ=.fuzz {replay}"
    return said


def publish(done: Sequence[Result], docs: Path) -> None:
    """The rounds as JSON, and a table between markers in reliability.md."""
    write_to = docs / "fuzz.json"
    write_to.write_text(json.dumps([asdict(result) for result in done], indent=1) + "\n")
    page = docs / "reliability.md"
    text = page.read_text() if page.exists() else f"# Reliability\n\n{BEGIN}\n{END}\n"
    if BEGIN not in text:
        text = f"{text.rstrip()}\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{_section(done)}\n{END}{after}")


def _section(done: Sequence[Result]) -> str:
    total, seconds = sum(r.inputs for r in done), sum(r.seconds for r in done)
    rows = []
    for target in dict.fromkeys(result.target for result in done):
        rounds = [result for result in done if result.target == target]
        inputs = sum(result.inputs for result in rounds)
        covered = f"{rounds[0].coverage_before} to {max(result.coverage for result in rounds)}"
        found = sum(bool(result.finding or result.reason) for result in rounds)
        last = f"1 to {max(result.seed for result in rounds)}"
        rows.append(f"| {target} | {inputs:,} | {last} | {covered} | {found} |")
    return "\n".join(
        [
            "## Bad input",
            "",
            f"`make fuzz` tried {total:,} inputs in {seconds / 60:.0f} minutes (`fuzz.json` has every round and its seed).",
            "",
            "| target | inputs | seeds | edges covered | inputs that crashed or hung |",
            "|---|---:|---|---:|---:|",
            *rows,
            "",
            _TARGETS,
        ]
    )
