"""What a soak has come to: the section of docs/reliability.md, and memory and open files of each process as a picture."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.faults.reckoning import Toll
from tests.faults.section import replace_section
from tests.faults.weather import Soak
from tests.statement.document import table

WARM_S = 60.0
"""Of the calm; what was killed before it has loaded its models by then."""


@dataclass(frozen=True)
class Series:
    """One role over time; where there are several processes of it, all together."""

    at: Sequence[float]
    images: Sequence[int]
    rss_mb: Sequence[float]
    files: Sequence[int]

    def slope(self, values: Sequence[float], since: float) -> float:
        """Per 1000 images, by least squares over the samples since then."""
        chosen = [i for i, at in enumerate(self.at) if at >= since]
        images = np.array([self.images[i] for i in chosen], dtype=float)
        if len(chosen) < 2 or np.ptp(images) == 0:
            return float("nan")
        return float(np.polyfit(images, [values[i] for i in chosen], 1)[0] * 1000)


def by_role(samples: Sequence[Mapping[str, Any]]) -> dict[str, Series]:
    found: dict[str, list[tuple[float, int, float, int]]] = defaultdict(list)
    for sample in samples:
        rss: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for process in sample["processes"]:
            rss[process["role"]] += process["rss_bytes"]
            files[process["role"]] += process["files"]
        for role, size in rss.items():
            found[role].append((sample["at"], sample["images"], size / 1e6, files[role]))
    return {role: Series(*zip(*rows, strict=True)) for role, rows in sorted(found.items())}


def write_report(out: Path, samples: Path, soak: Soak, toll: Toll) -> None:
    series = by_role([json.loads(line) for line in samples.read_text().splitlines()])
    draw(out / "soak.png", series, soak)
    replace_section("soak", section(series, soak, toll), out / "reliability.md")


def draw(path: Path, series: Mapping[str, Series], soak: Soak) -> None:
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    memory, files = figure.subplots(2, 1, sharex=True)
    for role, one in series.items():
        minutes = np.array(one.at) / 60
        memory.plot(minutes, one.rss_mb, ".", markersize=2, label=role)
        files.plot(minutes, one.files, ".", markersize=2, label=role)
    for axes, what in ((memory, "resident memory, MB"), (files, "open files")):
        axes.set_ylabel(what)
        axes.set_ylim(bottom=0)
        for begin, end in soak.outages:
            axes.axvspan(begin / 60, end / 60, color="0.85", linewidth=0)
        axes.plot([at / 60 for at, _ in soak.kills], [0] * len(soak.kills), "k|", markersize=8, clip_on=False)
        axes.axvline(soak.calm_from / 60, color="0.5", linestyle=":", linewidth=1)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    memory.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, markerscale=5)
    memory.set_title(
        "stroke: a process is killed; grey: the PACS is away; dotted: calm from here", fontsize=9
    )
    files.set_xlabel("minutes")
    FigureCanvasAgg(figure).print_figure(path, dpi=100)


def _signed(slope: float) -> str:
    return "too few" if isnan(slope) else f"{slope:+.1f}"


def section(series: Mapping[str, Series], soak: Soak, toll: Toll) -> str:
    killed = ", ".join(
        f"{count} x {role}" for role, count in sorted(Counter(r for _, r in soak.kills).items())
    )
    since = soak.calm_from + WARM_S
    rows = [
        (
            role,
            f"{max(one.rss_mb):.0f}",
            _signed(one.slope(one.rss_mb, since)),
            str(max(one.files)),
            _signed(one.slope(one.files, since)),
        )
        for role, one in series.items()
    ]
    heads = ("process", "most memory, MB", "MB per 1000 images", "most open files", "files per 1000 images")
    minutes, calm = soak.minutes, soak.minutes - soak.calm_from / 60
    return f"""\
## Soak

`make soak` ran for {minutes:g} minutes: {soak.studies} studies from 4 senders in parallel, {soak.images} images
acknowledged, {soak.objects} objects at the PACS ({soak.arrivals} arrived, repeats included), {len(soak.kills)} kills
by SIGKILL ({killed}), {len(soak.outages)} outages of the PACS, {soak.rubbish} pieces of rubbish (noise, half
requests, broken messages, cut objects, impossible UIDs), and in every study an object that is refused.

Acknowledged images lost: {len(toll.images_lost)}. Results lost: {len(toll.results_lost)}. Objects doubled at the
PACS: {len(toll.doubled)}. Faults of the audit trail: {len(toll.audit_faults)}.

{table(heads, rows)}
The slopes are those of the last {calm:.0f} minutes without their first, in which nothing was killed and the PACS
was there, while images went on arriving.

![Memory and open files of each process over the soak](soak.png)
"""
