"""A round: one target, one seed, so many inputs, in a process of its own that may crash or hang."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import seeds

HANG_S = 10  # for one input
ROUND_S = 40  # at most, its start apart
MEMORY_MB = 2048
LONGEST = 1 << 15  # bytes of one input


@dataclass(frozen=True)
class Round:
    target: str
    seed: int
    inputs: int


@dataclass(frozen=True)
class Result:
    """What a round came to; coverage counts the edges of the code that were met."""

    target: str
    seed: int
    inputs: int
    seconds: float
    coverage_before: int
    coverage: int
    finding: str = ""  # the file of an input that crashed or hung
    reason: str = ""


def tried(plan: Round, folder: Path) -> Result:
    """Fuzz until the inputs are tried or one is found that crashes or hangs; the corpus grows."""
    folder = folder.absolute()
    corpus, found = folder / plan.target / "corpus", folder / plan.target / "found"
    for place in (corpus, found):
        place.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    options = {
        "runs": plan.inputs, "seed": plan.seed, "timeout": HANG_S, "rss_limit_mb": MEMORY_MB, "max_len": LONGEST,
        "artifact_prefix": f"{found}/", "print_final_stats": 1, "len_control": 0,
    }  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.run",
        plan.target,
        *(f"-{k}={v}" for k, v in options.items()),
    ]
    started = time.monotonic()
    ended = subprocess.run(
        [*command, str(corpus), str(folder / "seeds" / plan.target)],
        env=os.environ | {"SEDAS_FUZZ": str(folder.absolute())},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True, errors="replace",
    )  # fmt: skip
    said = ended.stdout
    (folder / plan.target / "last.log").write_text(said)
    new = sorted(set(found.iterdir()) - before)
    coverage = [int(number) for number in re.findall(r"cov: (\d+)", said)] or [0]
    executed = re.search(r"number_of_executed_units: (\d+)", said)
    return Result(
        target=plan.target,
        seed=plan.seed,
        inputs=int(executed[1])
        if executed
        else max(map(int, re.findall(r"^#(\d+)", said, re.MULTILINE)), default=0),
        seconds=round(time.monotonic() - started, 1),
        coverage_before=coverage[0],
        coverage=coverage[-1],
        finding=new[0].name if new else "",
        reason=_reason(said) if new or ended.returncode else "",
    )


def _reason(said: str) -> str:
    """The name of the exception, or libFuzzer's word for it."""
    exception = re.search(r"Uncaught Python exception: ===\s*\n([\w.]+)", said)
    error = re.search(r"ERROR: libFuzzer: ([\w -]+)", said)
    return exception[1] if exception else error[1].strip() if error else "ended"


def seeded(folder: Path) -> None:
    """Write the seeds, once."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "seeds").exists():
        return
    images = list(seeds.images(folder / "ct"))
    marks = list(seeds.annotations(folder / "marks"))
    (folder / "slices").mkdir()
    for slice_ in sorted((folder / "ct").iterdir())[:3]:
        slice_.rename(folder / "slices" / slice_.name)
    streams = list(seeds.conversations())
    _write(folder, "conversation", streams)
    _write(folder, "pdu", (part for stream in streams for part in seeds.pdus(stream)))
    _write(folder, "command", seeds.commands())
    for target in ("reception", "headers"):
        _write(folder, target, [*images, *marks])
    _write(folder, "annotation", marks)
    _write(folder, "volume", images)


def _write(folder: Path, target: str, contents: Iterable[bytes] | Iterator[bytes]) -> None:
    place = folder / "seeds" / target
    place.mkdir(parents=True)
    for number, content in enumerate(contents):
        (place / f"{number:02d}").write_bytes(content)
