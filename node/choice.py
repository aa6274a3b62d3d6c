"""Which images of a study are analysed, and why the others are not. Pure: headers in, a decision out."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from config.settings import Eligibility
from inference.kernels import Sharpness, sharpness
from node.eligibility import coverage_mm, typical, why_not_image, why_not_series
from node.headers import Header

_BEST_FIRST = (Sharpness.SHARP, Sharpness.UNKNOWN, Sharpness.SOFT)


class NotAnalysable(Exception):
    """There is nothing here that can be analysed; the message says why."""


@dataclass(frozen=True)
class Finding:
    """One line about the study for the audit: what, and why."""

    event: str
    detail: str


@dataclass(frozen=True)
class Decision:
    """The slices to analyse, or none and the reason."""

    slices: tuple[Header, ...]
    reason: str  # why nothing is analysed; empty when something is
    findings: tuple[Finding, ...]

    @property
    def series_instance_uid(self) -> str | None:
        return self.slices[0].series_instance_uid if self.slices else None


def decide(
    headers: Sequence[Header],
    rules: Eligibility,
    *,
    model_thickness_mm: float,
    marked: Collection[str] = frozenset(),
) -> Decision:
    """One series of one patient's study: a `marked` one, then by sharp kernel, slice thickness and completeness.

    `marked` are the UIDs of series that an annotation refers to: a radiologist marks what is to be scored.
    """
    if (patients := len({h.patient_key for h in headers})) > 1:
        return Decision((), f"the study holds images of {patients} patients", ())
    findings: list[Finding] = []
    eligible: list[Sequence[Header]] = []
    for uid, images in _by_series(headers).items():
        usable, dropped = _usable(images, rules)
        findings += dropped
        if why_not := _why_not(images, usable, rules):
            findings.append(Finding("series not eligible", f"series {uid}: {why_not}"))
        else:
            eligible.append(usable)
    if not eligible:
        return Decision((), _summary(findings), tuple(findings))
    chosen, *others = sorted(
        eligible, key=lambda s: (s[0].series_instance_uid not in marked, _rank(s, model_thickness_mm))
    )
    findings.append(Finding("series chosen", f"series {chosen[0].series_instance_uid}: {_describe(chosen)}"))
    findings += (
        Finding("series not chosen", f"series {s[0].series_instance_uid}: {_compare(s, chosen)}")
        for s in others
    )
    return Decision(tuple(chosen), "", tuple(findings))


def _by_series(headers: Iterable[Header]) -> dict[str, list[Header]]:
    series: defaultdict[str, list[Header]] = defaultdict(list)
    for header in headers:
        series[header.series_instance_uid].append(header)
    return series


def _usable(images: Sequence[Header], rules: Eligibility) -> tuple[list[Header], list[Finding]]:
    usable, dropped = [], []
    for image in images:
        if why_not := why_not_image(image, rules):
            dropped.append(Finding("image dropped", f"image {image.sop_instance_uid}: {why_not}"))
        else:
            usable.append(image)
    return usable, dropped


def _why_not(images: Sequence[Header], usable: Sequence[Header], rules: Eligibility) -> str | None:
    if usable:
        return why_not_series(usable, rules)
    reasons = Counter(why_not_image(image, rules) for image in images)
    (reason, _), *_ = reasons.most_common(1)
    return f"none of its {len(images)} images can be used: {reason}"


def _summary(findings: Iterable[Finding]) -> str:
    series = [f.detail for f in findings if f.event == "series not eligible"]
    return "no series can be analysed: " + ("; ".join(series) or "none of the images can be read")


def _rank(slices: Sequence[Header], model_thickness_mm: float) -> tuple[int, float, float, int, str]:
    """The smallest comes first; the UID settles ties, so that the order of arrival never does."""
    most = typical(slices)
    return (
        _BEST_FIRST.index(sharpness(most.kernel)),
        abs(_thickness_mm(slices) - model_thickness_mm),
        -round(coverage_mm(slices)),
        -len(slices),
        most.series_instance_uid,
    )


def _thickness_mm(slices: Sequence[Header]) -> float:
    """As the header says; where it says nothing, the mean distance of the slices."""
    return typical(slices).slice_thickness_mm or coverage_mm(slices) / max(len(slices) - 1, 1)


def _describe(slices: Sequence[Header]) -> str:
    kernel = typical(slices).kernel
    name = kernel if re.fullmatch(r"[\w+./\\ -]{1,40}", kernel) else "(no name)"
    return (
        f"{sharpness(kernel)} kernel {name}, {_thickness_mm(slices):g} mm, "
        f"{len(slices)} slices over {coverage_mm(slices):.0f} mm"
    )


def _compare(other: Sequence[Header], chosen: Sequence[Header]) -> str:
    return f"{_describe(other)}; preferred: {_describe(chosen)}"
