"""Encoding one result after another in one process: `python -m tests.benchmarks.encoding --slices 300 --studies 40`."""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_out import encode, validation
from tests.analyses import PROVENANCE, analysis_of, ct_headers
from tests.conformance.variants import received


@dataclass(frozen=True)
class EncodingFigures:
    """Every study has as many slices, all of them scored; seconds are medians over the studies after the first."""

    slices: int
    studies: int
    first_s: float
    encode_s: float
    write_s: float
    check_s: float
    total_s: float
    resident_mb: tuple[float, float]  # after a quarter of the studies, and after the last


def encoding(slices: int, studies: int) -> EncodingFigures:
    encodes, writes, checks, resident = [], [], [], []
    for number in range(studies):
        headers = _headers(slices, number)
        analysis = analysis_of(headers, scored=slice(None))
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            objects = encode.encode(analysis, headers, PROVENANCE)
            encoded = time.perf_counter()
            paths = encode.write(objects, Path(folder))
            written = time.perf_counter()
            assert validation.findings([dcmread(path) for path in paths], headers) == ()
            ended = time.perf_counter()
        encodes.append(encoded - started)
        writes.append(written - encoded)
        checks.append(ended - written)
        resident.append(_resident_mb())
    totals = [sum(parts) for parts in zip(encodes, writes, checks, strict=True)]
    return EncodingFigures(
        slices,
        studies,
        totals[0],
        median(encodes[1:]),
        median(writes[1:]),
        median(checks[1:]),
        median(totals[1:]),
        (resident[studies // 4], resident[-1]),
    )


def _headers(slices: int, study: int) -> list[Dataset]:
    """Of a study of its own, as they are read from files."""
    headers = ct_headers(slices)
    for ds in headers:
        ds.StudyInstanceUID += f".{study}"
        ds.SeriesInstanceUID += f".{study}"
        ds.SOPInstanceUID += f".{study}"
    return received(headers)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--studies", type=int, default=40)
    options = parser.parse_args()
    json.dump(asdict(encoding(options.slices, options.studies)), sys.stdout)


if __name__ == "__main__":
    main()
