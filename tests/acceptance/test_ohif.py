"""A result in the viewer that many research groups have: OHIF, over Orthanc's DICOMweb, in a headless Chromium."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.browser import Page, browser
from tests.ohif import DICOMWEB, PICTURES, chromium, ohif
from tests.peers import orthanc, wait_for

pytestmark = pytest.mark.peers

REPORT = "AI RESEARCH report PIMA/IPN"
CARD = "AI RESEARCH summary"
KEY_SLICES = "AI RESEARCH Grad-CAM"
SEGMENTATION = "AI RESEARCH lungs and target"
KEY_OBJECTS = "AI RESEARCH key slices"
CONFIGURATION = """\
[listener]
calling_ae_titles = ["PACS"]

[results]
segmentation = true
key_objects = true
"""
DRAWN = "document.querySelector('canvas').getBoundingClientRect().toJSON()"
ASKED = "item => item.innerText.startsWith('Question asked')"
THUMBNAILS = "[...document.images].filter(image => image.naturalWidth > 0).length"
LEAST_BRIGHT = 0.2
"""Of the viewport: CT and card fill far more, an empty viewport is black."""


@dataclass(frozen=True)
class Viewer:
    """A study in OHIF."""

    page: Page
    address: str
    results: Sequence[Dataset]

    def open(self, series_description: str) -> None:
        """Show a series of ours in the only viewport."""
        ds = next(ds for ds in self.results if ds.SeriesDescription == series_description)
        self.page.open(
            f"{self.address}/viewer?StudyInstanceUIDs={ds.StudyInstanceUID}"
            f"&initialSeriesInstanceUID={ds.SeriesInstanceUID}"
        )

    def says(self, words: str) -> str:
        """The text of the page, once it has those words."""
        wait_for(lambda: words in self.page.text(), f"OHIF to say: {words}", timeout_s=120)
        return self.page.text()

    def draws(self) -> NDArray[np.uint8]:
        """The pixels of the viewport (row, column, RGB), once an image is there."""
        return wait_for(self._drawn, "OHIF to draw", timeout_s=120)[0]

    def _drawn(self) -> tuple[NDArray[np.uint8]] | None:
        if self.page.value("document.querySelector('canvas') === null"):
            return None
        box = self.page.value(DRAWN)
        window = Image.open(BytesIO(self.page.screenshot())).convert("RGB")
        pixels = np.asarray(window.crop((box["left"], box["top"], box["right"], box["bottom"])))
        return (pixels,) if (pixels.max(axis=2) > 40).mean() > LEAST_BRIGHT else None

    def keep(self, name: str) -> None:
        """A screenshot in the folder that was asked for."""
        if PICTURES in os.environ:
            wait_for(
                lambda: self.page.value(THUMBNAILS) == 3, "OHIF to draw thumbnails of CT, card and key slices"
            )
            window = Image.open(BytesIO(self.page.screenshot())).convert("RGB")
            window.save(Path(os.environ[PICTURES]) / name, optimize=True)


@contextmanager
def _viewer(ct: Sequence[Path], folder: Path) -> Iterator[Viewer]:
    """A study and its result at an Orthanc, seen through OHIF."""
    program = chromium()
    results = _results(ct[0].parent, folder)
    with orthanc(folder / "orthanc", [DICOMWEB]) as pacs:
        for file in (*ct, *results):
            pacs.post("/instances", file.read_bytes())
        with ohif(pacs.http_port) as address, browser(program, folder / "chromium") as page:
            yield Viewer(page, address, [dcmread(file) for file in results])


def _results(ct: Path, folder: Path) -> list[Path]:
    config = folder / "node.toml"
    config.write_text(f'{CONFIGURATION}\n[storage]\nfolder = "{folder}"\n')
    out = folder / "result"
    command = [sys.executable, "-m", "node", "analyse", str(ct), "--out", str(out), "--config", str(config)]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    return list((out / "dicom").iterdir())


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory, phantom_study: list[Path]) -> Iterator[Viewer]:
    with _viewer(phantom_study, tmp_path_factory.mktemp("phantom-in-ohif")) as shown:
        yield shown


def test_the_report_is_read_with_names_and_values(viewer: Viewer) -> None:
    viewer.open(REPORT)
    said = viewer.says("The probabilities are, in this order, of:")
    viewer.page.value(f"[...document.querySelectorAll('div')].findLast({ASKED})?.scrollIntoView()")
    viewer.keep("ohif-report.png")
    names_and_values = (
        "Oncology Measurement Report",
        "Procedure reported: CT unspecified body region",
        "Question asked: Is the target lesion pulmonary invasive mucinous adenocarcinoma (PIMA) or",
        "Slices of the target: images 22, 23, 24, 25 of series 2",
        "Algorithm Name: sedas-demonstration",
        "Algorithm Version: 2",
        "Model probability of PIMA: 82.74 %",
        "Probability from which the class is PIMA: 50 %",
        "Predicted class (research): Pulmonary invasive mucinous adenocarcinoma",
        "Selection of the slices: Unconfirmed automatic candidate",
        "Comment: RESEARCH USE ONLY.",
        "Do not use for patient management.",
        "Statement of the model: Demonstration model, no clinical meaning.",
    )
    assert [words for words in names_and_values if words not in said] == []


def test_the_card_is_drawn(viewer: Viewer) -> None:
    viewer.open(CARD)
    viewer.says("1/1")
    red, _, blue = np.moveaxis(viewer.draws().astype(int), 2, 0)
    viewer.keep("ohif-card.png")
    assert (red - blue > 60).sum() > 1000  # the class, the scale and the cautions


def test_the_pictures_of_key_slices_are_drawn_in_colour_with_their_orientation(viewer: Viewer) -> None:
    viewer.open(KEY_SLICES)
    said = viewer.says("(1/4)")
    pixels = viewer.draws().astype(int)
    viewer.keep("ohif-picture.png")
    assert (pixels.max(axis=2) - pixels.min(axis=2) > 60).sum() > 1000  # evidence, legend and cautions
    assert {"A", "R"} <= set(said.splitlines())


def test_the_segmentation_lies_on_the_slices_that_were_scored(viewer: Viewer) -> None:
    viewer.open(SEGMENTATION)
    viewer.says("Do you want to open this Segmentation?")
    viewer.says("I:25 (36/60)")
    pixels = viewer.draws().astype(int)
    assert (pixels[..., 2] - pixels[..., 0] > 30).mean() > 0.1  # lungs in blue


def test_key_objects_are_listed_and_not_opened(viewer: Viewer) -> None:
    viewer.open(KEY_OBJECTS)
    said = viewer.says("(1/60)").splitlines()
    assert KEY_OBJECTS in said


@pytest.mark.realdata
def test_a_real_study_is_read_and_seen(real_data: Path, tmp_path: Path) -> None:
    ct = sorted((real_data / "chest/lung_dx_A0002/B70f").glob("*.dcm"))
    with _viewer(ct, tmp_path) as viewer:
        viewer.open(REPORT)
        said = viewer.says("The probabilities are, in this order, of:")
        assert "Slices of the target: images 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 of series 2" in said
        viewer.open(KEY_SLICES)
        viewer.says("(1/5)")
        viewer.draws()
