"""What a dataset is, in words: `card.md` in its folder."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from inference.dataset.confounding import confounded
from inference.dataset.manifest import Case, Manifest, Mode, Split

_SYNTHETIC = "**Synthetic: drawn phantoms, no patients. Figures on them have no clinical meaning.**"
_LEFT_OUT_LATER = (
    "The split was made from the table alone. A patient that was left out afterwards, because of the images or the"
    " marks, is missing from its part; nobody was moved to make up for it."
)


def card(manifest: Manifest, remarks: Sequence[str] = ()) -> str:
    """Markdown. `remarks` are what else is known of the cohort, a sentence each."""
    return "\n\n".join(part for part in _parts(manifest, remarks) if part) + "\n"


def _parts(manifest: Manifest, remarks: Sequence[str]) -> Iterator[str]:
    yield f"# {manifest.name}, version {manifest.version}"
    yield _SYNTHETIC if manifest.synthetic else ""
    yield (
        f"{_classes(manifest.cases)}, {_slices(manifest.cases)} slices that show the nodule, for PIMA against IPN"
        f" (binary, by patient). Made by {manifest.software}."
    )
    yield "## Who trains, selects and tests"
    yield f"Split {manifest.split_by}."
    yield _table(("split", "part", "patients", "PIMA", "IPN", "slices"), _split_rows(manifest))
    yield _LEFT_OUT_LATER
    yield "## Selection of patients"
    yield "![](flow.svg)"
    yield _bullets([f"{manifest.flow.screened} patients screened", *_reasons(manifest), *remarks])
    yield "## The patients"
    yield _table(("", "PIMA", "IPN"), _patient_rows(manifest.cases))
    yield "## Does anything but the lesion tell the class?"
    yield (
        _bullets(confounded(manifest))
        or "Nothing was found among scanner, kernel, thickness, site, year and kind of mark."
    )
    yield "## How slices were marked and prepared"
    yield _bullets(list(_preparation(manifest)))
    yield "## De-identification"
    yield _DEIDENTIFICATION
    yield "## Limits"
    yield _LIMITS


_DEIDENTIFICATION = (
    "Cases have drawn numbers in an order by chance. The folder holds no name, no patient identifier, no UID and no"
    " path; of dates only the year, of ages from 90 on only that; devices and kernels only as plain words. Which case"
    " is which patient stands in the linkage file beside the folder, which stays at the site. The slices themselves are"
    " images of a chest and of the lesion: share the folder only under the rules for such images."
)
_LIMITS = (
    "- A class is as sure as its confirmation: see the counts above.\n"
    "- Slices are those that somebody marked; nothing is known of others.\n"
    "- Lungs are a segmenter's, and were not corrected: look at `sheets/`.\n"
    "- Sizes that the table lacks are measured on the marked region, and on boxes not at all."
)


def _split_rows(manifest: Manifest) -> Iterator[tuple[str, ...]]:
    cases = {case.name: case for case in manifest.cases}
    for split in manifest.splits:
        for part, names in _named_parts(split).items():
            members = [cases[name] for name in names]
            positive = sum(case.positive for case in members)
            counts = (len(members), positive, len(members) - positive, _slices(members))
            yield (split.name, part, *map(str, counts))


def _named_parts(split: Split) -> dict[str, tuple[str, ...]]:
    if split.mode is Mode.PAPER:
        return {"train": split.train, "test, which also selects": split.test}
    return {"train": split.train, "selection": split.selection, "test": split.test}


def _reasons(manifest: Manifest) -> Iterator[str]:
    for one in manifest.flow.excluded:
        yield f"{one.patients} excluded: {one.reason}"


def _patient_rows(cases: Sequence[Case]) -> Iterator[tuple[str, ...]]:
    both = [[case for case in cases if case.positive is positive] for positive in (True, False)]
    yield ("patients", *(str(len(group)) for group in both))
    for field, what in _MEASURED.items():
        yield (what, *(_quartiles([getattr(case, field) for case in group]) for group in both))
    for field, what in _COUNTED.items():
        yield (what, *(_counts(str(getattr(c, field) or "not known") for c in group) for group in both))


_MEASURED = {
    "age_years": "age in years, median (quartiles)",
    "size_mm": "size in mm, median (quartiles)",
    "slice_thickness_mm": "slice thickness in mm, median (quartiles)",
}
_COUNTED = {
    "sex": "sex",
    "lobe": "lobe",
    "confirmed_by": "confirmed by",
    "year": "year",
    "site": "site",
    "scanner": "scanner",
    "kernel": "kernel",
    "marked_by": "marked by",
}


def _preparation(manifest: Manifest) -> Iterator[str]:
    numbers, lungs = manifest.preprocessing, manifest.segmenter
    kinds = _counts(case.marked_by for case in manifest.cases)
    yield f"Marks: {kinds}. Where a lesion was marked more than once, the first kind counts: see `Kind` in the software."
    yield f"Slabs of about {numbers.slice_thickness_mm:g} mm: thinner slices are averaged, thicker ones taken as they are."
    yield (
        f"In the plane resampled to {numbers.pixel_mm:g} mm, {numbers.size} x {numbers.size} pixels around the lungs;"
        f" window level {numbers.window_level_hu:g} HU, width {numbers.window_width_hu:g} HU, as 0 to 65535."
    )
    yield (
        f"Lungs by {lungs.name} {lungs.version} (`{lungs.digest[:12]}`): kept as a mask beside the images, so that a"
        " training decides whether it blackens what is outside."
    )


def _classes(cases: Sequence[Case]) -> str:
    positive = sum(case.positive for case in cases)
    return f"{len(cases)} patients ({positive} PIMA, {len(cases) - positive} IPN)"


def _slices(cases: Sequence[Case]) -> int:
    return sum(len(case.slice_sha256) for case in cases)


def _quartiles(values: Sequence[float | None]) -> str:
    """Of those that are known; how many are not is said."""
    known = [value for value in values if value is not None]
    unknown = f", {len(values) - len(known)} not known" if len(known) < len(values) else ""
    if not known:
        return "not known"
    low, middle, high = np.percentile(known, (25, 50, 75))
    return f"{middle:.4g} ({low:.4g} to {high:.4g}){unknown}"


def _counts(values: Iterable[str]) -> str:
    """The commonest first."""
    ordered = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{value} {count}" for value, count in ordered)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)
