from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from dicom_out import page
from dicom_out.encode import encode
from inference.findings import Analysis, InputQuality, QualityCode, SlicePolicy
from tests.analyses import DEMONSTRATION, PROVENANCE, analysis_of, ct_headers


class Reader(HTMLParser):
    """The text of a page and its tags in order; fails when tags do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


def _read(analysis: Analysis, headers: list[Dataset] | None = None) -> Reader:
    *pictures, report = encode(analysis, headers or ct_headers(), PROVENANCE)
    reader = Reader()
    reader.feed(page.html(report, {str(ds.SOPInstanceUID): page.png(ds) for ds in pictures}))
    assert reader.open == []
    return reader


def test_a_page_shows_the_result_and_every_picture() -> None:
    reader = _read(analysis_of(ct_headers()))
    assert {"PIMA", "62.71 %", "Unconfirmed automatic candidate", DEMONSTRATION} <= set(reader.text)
    assert reader.tags.count("img") == 5
    assert "Key slice 6: 91.00 %" in reader.text


def test_a_page_without_a_score_shows_no_number_in_its_place() -> None:
    reader = _read(analysis_of(ct_headers()).without_score())
    assert "No class and no probability" in reader.text
    assert not any(text.endswith(" %") for text in reader.text)
    assert reader.tags.count("img") == 5


def test_a_page_without_a_target_says_so() -> None:
    reader = _read(analysis_of(ct_headers(), policy=SlicePolicy.NONE))
    assert "No target was found; no probability is given." in reader.text
    assert "img" not in reader.tags


def test_text_from_elsewhere_cannot_become_markup() -> None:
    headers = ct_headers()
    for header in headers:
        header.PatientName = "<script>alert(1)</script>"
        header.StudyDescription = "<b>&amp;"
    quality = InputQuality(QualityCode.SOFT_KERNEL, "<img src=x onerror=alert(1)>")
    reader = _read(replace(analysis_of(headers), input_quality=(quality,)), headers)
    assert "script" not in reader.tags
    assert reader.tags.count("img") == 5
    assert any(text.startswith("<script>") for text in reader.text)


def test_a_png_is_the_picture() -> None:
    picture = encode(analysis_of(ct_headers()), ct_headers(), PROVENANCE)[0]
    pixels = np.asarray(Image.open(BytesIO(page.png(picture))))
    assert pixels.tobytes() == picture.PixelData
