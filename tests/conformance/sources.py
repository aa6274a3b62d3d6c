"""CT headers of every kind that results are made from, and every kind of object made from them, by name."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGExtended12Bit

from dicom_out.encode import content, encode
from dicom_out.header import TYPE_2
from dicom_out.identity import Provenance, ResultName
from dicom_out.rejection import Reason, rejection_note
from dicom_out.report_classes import CLASSES, in_class
from inference.findings import Analysis
from tests.analyses import EVERYTHING, PROVENANCE, analysis_of, ct_headers
from tests.conformance.variants import NAMES, received
from tests.phantom import small_study

Headers = list[Dataset]
SOFTWARE = "0.2.0"  # that withdraws what an earlier one made
REAL = {"A0002": "chest/lung_dx_A0002/B70f", "LIDC": "chest/lidc_0001_nodule16"}
"""Folders of real CT."""


def headers_of(syntax: UID = ExplicitVRLittleEndian, **attributes: object) -> Headers:
    """Small ones, as received."""
    small = ct_headers(rows=128, columns=128)
    for ds in small:
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
    return received(small, syntax)


def without(*keywords: str) -> Headers:
    small = ct_headers(rows=128, columns=128)
    for ds in small:
        for keyword in keywords:
            del ds[keyword]
    return received(small)


def _phantom() -> Headers:
    with TemporaryDirectory() as folder:
        return read_headers(small_study(Path(folder)))


def read_headers(files: Sequence[Path]) -> Headers:
    return [dcmread(file, stop_before_pixels=True) for file in files]


def _lossy(syntax: UID, method: str) -> Headers:
    return headers_of(
        syntax,
        LossyImageCompression="01",
        LossyImageCompressionRatio="10.5",
        LossyImageCompressionMethod=method,
    )


SOURCES: dict[str, Callable[[], Headers]] = {
    "phantom": _phantom,
    "no type 2": lambda: without(*TYPE_2),
    "JPEG": lambda: _lossy(JPEGExtended12Bit, "ISO_10918_1"),
    "JPEG once": lambda: _lossy(ExplicitVRLittleEndian, "ISO_10918_1"),
    "JPEG 2000": lambda: _lossy(JPEG2000, "ISO_15444_1"),
    "JPEG 2000 lossless": lambda: headers_of(JPEG2000Lossless, LossyImageCompression="00"),
    **{
        name: lambda name=name: headers_of(SpecificCharacterSet=NAMES[name][0], PatientName=NAMES[name][1])  # type: ignore[misc]
        for name in NAMES
    },
}


@cache
def headers(source: str) -> Headers:
    """Look, do not change."""
    return SOURCES[source]()


@cache
def files(source: str) -> dict[str, bytes]:
    """All that is made from a source, as files by kind of object."""
    return files_from(headers(source))


def files_from(
    sources: Headers,
    provenance: Provenance = PROVENANCE,
    change: Callable[[Analysis], Analysis] = lambda a: a,
) -> dict[str, bytes]:
    """Every kind of object, each read back from its file before the next is made of it, as a node does."""
    analysis = change(analysis_of(sources, scored=slice(2, 5)))
    made_of = encode(analysis, sources, provenance, **EVERYTHING)
    card, *pictures, segmentation, selection, heat_map, presentation, report = made_of
    abstained = replace(analysis.without_score(), abstained_for=analysis.input_quality)
    instead = encode(abstained, sources, replace(provenance, result_digest=f"{provenance.result_digest}-"))
    made = {
        "card": card,
        **{f"picture {number}": picture for number, picture in enumerate(pictures, start=1)},
        "segmentation": segmentation,
        "key objects": selection,
        "parametric map": heat_map,
        "presentation state": presentation,
        "report": report,
        "abstention card": instead[0],
        "abstention": instead[-1],
    }
    written = {kind: content(ds) for kind, ds in made.items()}
    name = ResultName(analysis.study_instance_uid, analysis.series_instance_uid, provenance)
    for sop_class_uid in CLASSES[1:]:
        written[f"report as {sop_class_uid.name}"] = content(
            in_class(read(written["report"]), sop_class_uid, name)
        )
    rejected = [read(file) for kind, file in written.items() if kind in result_kinds(written)]
    for reason in Reason:
        at = provenance.at + timedelta(days=3)
        written[f"rejection for {reason}"] = content(rejection_note(rejected, reason, name, at, SOFTWARE))
    return written


def result_kinds(written: dict[str, bytes], report: str = "report") -> list[str]:
    """The objects of one result, of which `report` is the report: pictures, what else was asked for, report."""
    return [
        *(kind for kind in written if kind == "card" or kind.startswith("picture")),
        *("segmentation", "key objects", "parametric map", "presentation state", report),
    ]


def read(file: bytes) -> Dataset:
    return dcmread(BytesIO(file))
