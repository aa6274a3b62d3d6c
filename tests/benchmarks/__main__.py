"""Every benchmark of an analysis: `make bench` writes a table and JSON.

Ratios are of one run on one machine; the seconds are this machine's and only say where the time goes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks.encoding import EncodingFigures
from tests.benchmarks.loading import Loading, loading
from tests.benchmarks.lungs import LungFigures
from tests.benchmarks.slices import SliceFigures
from tests.benchmarks.whole import Chain, Whole

GROWTH = (30, 100, 300, 800)
HEADING = """\
# Benchmarks

Made by `make bench` on two cores without a GPU. The network is the full SE-DAS ResNet50 on 512 x 512 pixels with
random weights, the lungs are those of the embedded folder, the chest is synthetic. The stock chain is SimpleITK's
series reader, nnU-Net with its defaults, and pytorch-grad-cam slice by slice.
"""
MEASURED = ("slices", "loading", "lungs", "whole", "encoding")
STOCK = 300
"""Slices; nnU-Net's defaults take minutes for these."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for benchmarks.json and benchmarks.md"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=MEASURED,
        default=MEASURED,
        help="measure these, and keep the other figures",
    )
    options = parser.parse_args()
    kept = options.out / "benchmarks.json"
    figures = json.loads(kept.read_text()) if set(options.only) != set(MEASURED) else {}
    with Console(stderr=True).status("measuring") as status:
        for name in options.only:
            status.update(name)
            figures[name] = _measured(name)
    options.out.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    *whole, stock = (Whole(**one) for one in figures["whole"])
    table = report(
        SliceFigures(**figures["slices"]),
        Loading(**figures["loading"]),
        LungFigures(**figures["lungs"]),
        EncodingFigures(**figures["encoding"]),
        whole,
        stock,
    )
    (options.out / "benchmarks.md").write_text(table, encoding="utf-8")
    sys.stdout.write(table)


def _measured(name: str) -> Any:
    """The figures of one benchmark, as they are kept."""
    match name:
        case "slices" | "encoding":
            return _run(name)
        case "lungs":
            return _run(name, "--slices", str(STOCK))
    with tempfile.TemporaryDirectory() as folder:
        if name == "loading":
            return asdict(loading(_drawn(STOCK, Path(folder)), runs=5))
        studies = {n: _drawn(n, Path(folder) / str(n)) for n in GROWTH}
        chains: list[tuple[Chain, int]] = [*(("ours", n) for n in GROWTH), ("stock", STOCK)]
        return [asdict(_whole(chain, n, studies[n])) for chain, n in chains]


def _drawn(slices: int, folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.whole", "ours", "--slices", str(slices), "--draw", folder],
        check=True,
    )
    return folder


def _run(name: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _whole(chain: Chain, slices: int, study: Path) -> Whole:
    return Whole(**_run("whole", chain, "--slices", str(slices), "--study", str(study)))


def report(
    slices: SliceFigures,
    read: Loading,
    lungs: LungFigures,
    encoding: EncodingFigures,
    whole: Sequence[Whole],
    stock: Whole,
) -> str:
    same = next(one for one in whole if one.slices == stock.slices)
    largest = whole[-1]
    rows = [
        ("score and map of a slice / plain ResNet50, eager", f"{slices.openvino_to_plain:.2f}", "0.60"),
        ("score and map of a slice / pytorch-grad-cam", f"{slices.openvino_to_grad_cam:.3f}", "0.167"),
        ("largest difference of a probability", f"{slices.largest_probability_difference:.1e}", "1e-4"),
        (f"loading {read.slices} slices / SimpleITK", f"{read.ratio:.2f}", "0.60"),
        (f"lungs of {lungs.slices} slices / nnU-Net's defaults", f"{lungs.ratio:.3f}", "0.20"),
        ("Dice between the two, the network's own word", f"{lungs.dice:.4f}", "at least 0.99"),
        ("the same, ours with disease given back", f"{lungs.dice_completed:.4f}", ""),
        (f"analysis of {same.slices} slices / stock chain", f"{same.total_s / stock.total_s:.3f}", "0.20"),
        (f"peak memory, {same.slices} slices", f"{same.peak_mb / 1000:.2f} GB", "2 GB"),
        (f"peak memory, {largest.slices} slices", f"{largest.peak_mb / 1000:.2f} GB", "3 GB"),
        (
            f"encode, write and check a result of {encoding.slices} scored slices",
            f"{encoding.total_s:.2f} s",
            "1.5 s",
        ),
        (
            f"memory after {encoding.studies} such results, against a quarter of them",
            f"{encoding.resident_mb[1] - encoding.resident_mb[0]:+.1f} MB",
            "",
        ),
    ]
    growth = [
        (
            f"{one.chain}, {one.slices}",
            *(f"{s:.1f}" for s in (one.load_s, one.segment_s, one.select_s, one.classify_s, one.total_s)),
            f"{one.scored}",
            f"{one.peak_mb / 1000:.2f}",
        )
        for one in (*whole, stock)
    ]
    return "\n".join(
        [
            HEADING,
            _table(("measured in one run", "figure", "at most"), rows),
            _table(
                (
                    "chain, slices",
                    "load s",
                    "segment s",
                    "select s",
                    "classify s",
                    "total s",
                    "scored",
                    "peak GB",
                ),
                growth,
            ),
        ]
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
