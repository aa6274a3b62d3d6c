"""Patients as a table names them, and manifests of cases that were never prepared."""

import hashlib
from collections.abc import Mapping, Sequence

from inference.bundle import Preprocessing
from inference.dataset.manifest import Case, Manifest, Mode, Segmenter, Split
from inference.dataset.table import Label, Row
from inference.evaluation.flow import Flow, Group


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def patients(
    label: Label, number: int, *, sizes: Sequence[float | None] = (None,), sites: Sequence[str] = ("",)
) -> list[Row]:
    """Their sizes and sites in turn."""
    return [
        Row(
            number=n + 2,
            patient_id=f"{label}-{n}",
            label=label,
            size_mm=sizes[n % len(sizes)],
            site=sites[n % len(sites)],
        )
        for n in range(number)
    ]


def case(number: int, label: Label, **changes: object) -> Case:
    name = f"case-{number:04}"
    facts = {
        "name": name,
        "label": label,
        "confirmed_by": "histology",
        "size_mm": None,
        "lobe": "",
        "sex": None,
        "age_years": None,
        "year": None,
        "period": None,
        "site": "",
        "hard": None,
        "scanner": "",
        "kernel": "",
        "slice_thickness_mm": 5.0,
        "marked_by": "KOS",
        "slice_sha256": (sha256(f"{name} 1"), sha256(f"{name} 2")),
        "images_sha256": sha256("images"),
        "lungs_sha256": sha256("lungs"),
        "lesion_sha256": sha256("lesion"),
        "prepared_by": sha256("preparation"),
    }
    return Case.model_validate(facts | changes)


def manifest(cases: Sequence[Case], *splits: Split) -> Manifest:
    positive = sum(each.positive for each in cases)
    return Manifest(
        name="phantoms",
        version="1",
        software="sedas-node 0",
        preprocessing=Preprocessing(),
        segmenter=Segmenter(name="threshold", version="1", digest=sha256("segmenter")),
        cases=tuple(cases),
        splits=splits,
        split_by="a test",
        flow=Flow(len(cases), (), (Group("included", positive, len(cases) - positive),)),
        synthetic=True,
    )


def split(parts: Mapping[str, Sequence[Case]], *, mode: Mode = Mode.INNER, name: str = "main") -> Split:
    return Split.model_validate(
        {"name": name, "mode": mode} | {part: tuple(each.name for each in parts[part]) for part in parts}
    )
