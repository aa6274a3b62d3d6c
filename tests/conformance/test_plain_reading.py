"""The report in the plainest of viewers answers who knows nothing of us: asked, where, what, how sure, by what, not for what."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from dicom_out.encode import write
from dicom_out.statements import QUESTION
from tests.conformance.validators import dsr2html
from tests.conformance.variants import result

pytestmark = pytest.mark.peers

ALWAYS = (
    f"Question asked: {QUESTION}",
    'Algorithm Name = "SE-DAS ResNet50 demonstration"',
    'Algorithm Version = "1"',
    "Series Instance UID: 1.2.826.0.1.3680043.10.1.2",
    "Not a diagnosis.",
    "Do not use for patient management.",
    "Statement of the model: Demonstration model, no clinical meaning.",
    "Limitation: The probabilities are not calibrated clinical risks.",
    "Automated result, not reviewed",
    "Algorithm Parameters: model digest sha256:aaaaaaaa",
)
ANSWERS = {
    "scored": (
        "Slices of the target: images 3, 4, 5, 6, 7, 8, 9 of series 2",
        "Model probability of PIMA: 62.71 %",
        "Probability from which the class is PIMA: 50.00 %",
        "Number of scored slices: 7",
        "Spread of the probability over the slices: 15.25 %",
        "Shift of the probability under left-right mirroring: 3.12 %",
        "how steady the model is, not how likely it is to be right.",
        "Predicted class (research): Pulmonary invasive mucinous adenocarcinoma",
        "nobody has marked or reviewed it",
        "Input quality: Slices are 8.0 mm thick",
        "The probabilities are, in this order, of: images 3, 4, 5, 6, 7, 8, 9",
    ),
    "abstained": (
        "Slices of the target: images 3, 4, 5, 6, 7, 8, 9 of series 2",
        "Not assessed: the input does not allow it; no class and no probability is given.",
        "Not assessed because: Slices are 8.0 mm thick; the model expects 5.0 mm.",
    ),
    "no target": (
        "Slices of the target: no image of series 2",
        "Comment: No target was found; no probability is given.",
    ),
}


class _Words(HTMLParser):
    """What is to be read on a page, without its styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        self._hidden = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data.split()


def _read(variant: str, folder: Path) -> str:
    page = _Words()
    page.feed(dsr2html(write(result(variant)[-1:], folder)[0], folder / "report.html"))
    return " ".join(page.words)


@pytest.mark.parametrize("variant", ANSWERS)
def test_the_answers_are_to_be_read(variant: str, tmp_path: Path) -> None:
    said = _read(variant, tmp_path)
    assert [answer for answer in (*ALWAYS, *ANSWERS[variant]) if answer not in said] == []


@pytest.mark.parametrize("variant", ["abstained", "no target"])
def test_without_an_answer_no_number_and_no_class_is_read(variant: str, tmp_path: Path) -> None:
    said = _read(variant, tmp_path)
    assert " %" not in said
    assert "Predicted class" not in said


def test_what_was_asked_comes_before_the_answer_and_references_after_it(tmp_path: Path) -> None:
    said = _read("scored", tmp_path)
    places = [
        said.index(words)
        for words in (
            "Question asked:",
            "Slices of the target:",
            "Model probability",
            "Source of Measurement:",
        )
    ]
    assert places == sorted(places)


def test_that_nothing_is_assessed_comes_before_anything_else_that_was_found(tmp_path: Path) -> None:
    said = _read("abstained", tmp_path)
    places = [
        said.index(words)
        for words in ("Slices of the target:", "Not assessed because:", "Selection of the slices:")
    ]
    assert places == sorted(places)
