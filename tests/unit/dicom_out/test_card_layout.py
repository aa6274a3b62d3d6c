from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from dicom_out.card import words
from dicom_out.card_layout import (
    HEIGHT_PX,
    WIDTH_PX,
    Line,
    Refusal,
    Score,
    Sheet,
    Words,
    card_picture,
    layout,
    wrapped,
)
from dicom_out.header import SourceSeries
from dicom_out.lettering import Box, letters
from dicom_out.views import View, views
from inference.findings import Analysis, InputQuality, QualityCode, SlicePolicy, Target
from tests.analyses import DEMONSTRATION, analysis_of, ct_headers

HEADERS = ct_headers()
SERIES = SourceSeries.of(HEADERS)


def _views(analysis: Analysis) -> tuple[View, ...]:
    scored = analysis.slices[0]
    source = SERIES[scored.sop_instance_uid]
    return tuple(views(scored, source, title="image 100: PIMA 100.00 %", evidence="evidence for PIMA in red"))


def _longest() -> Analysis:
    analysis = analysis_of(HEADERS)
    model = replace(
        analysis.classifier,
        name="Consortium " + "W" * 120,
        version="2026.11.24+" + "0" * 60,
        statements=(DEMONSTRATION, "Of one vendor only. " * 12),
        limits=tuple(f"Limit {n} is said in a sentence of ordinary length." for n in range(20)),
    )
    return replace(
        analysis,
        classifier=model,
        probability=1.0,
        threshold=1.0,
        calibration="On 120 patients.",
        target=Target((0.0, 0.0, 0.0), 123.4),
        other_candidates=(Target(None, None),) * 11,
        input_quality=tuple(InputQuality(c, f"2.25.{'7' * 38} on {c.value}. " * 3) for c in QualityCode),
    )


CASES: dict[str, Analysis] = {
    "scored": analysis_of(HEADERS),
    "inflammatory": analysis_of(HEADERS, policy=SlicePolicy.ANNOTATED, probabilities=(0.0,)),
    "lowest threshold": replace(analysis_of(HEADERS), threshold=0.0),
    "longest": _longest(),
    "longest abstention": replace(_longest().without_score(), abstained_for=_longest().input_quality),
    "candidates only": analysis_of(HEADERS).without_score(),
    "no target": analysis_of(HEADERS, policy=SlicePolicy.NONE),
}


def _placed(case: str) -> tuple[Words, Sheet]:
    said = words(CASES[case], SERIES)
    return said, layout(said, _views(CASES[case]) if CASES[case].slices else ())


@pytest.mark.parametrize("case", CASES)
def test_everything_is_inside_and_no_words_meet(case: str) -> None:
    _, sheet = _placed(case)
    for box in (*sheet.views, *(mark.box for mark in sheet.marks)):
        assert 0 <= box.left < box.right <= WIDTH_PX
        assert 0 <= box.top < box.bottom <= sheet.height_px
    lines = [mark for mark in sheet.marks if isinstance(mark, Line)]
    assert not [(a.text, b.text) for a, b in combinations(lines, 2) if _inked(a).meets(_inked(b))]


def _inked(line: Line) -> Box:
    """What the letters fill, which is less than the line's height."""
    left, top, right, bottom = letters(line.size_px).getbbox(line.text)
    return Box(int(line.left + left), int(line.top + top), int(line.left + right), int(line.top + bottom))


@pytest.mark.parametrize("case", CASES)
def test_no_word_is_lost(case: str) -> None:
    said, sheet = _placed(case)
    drawn = "".join("".join(mark.text.split()) for mark in sheet.marks if isinstance(mark, Line))
    sentences = [said.warning, said.ending, *(note.text for note in said.notes)]
    sentences += (sentence for fact in said.facts for sentence in fact.sentences)
    match said.result:
        case Refusal(headline, reasons):
            sentences += (headline, *reasons)
        case Score() as score:
            sentences += (score.label, score.meaning, score.number, *score.notes, score.threshold_words)
    for sentence in sentences:
        assert "".join(sentence.split()) in drawn


def test_an_ordinary_card_keeps_its_height_and_a_long_one_grows() -> None:
    assert _placed("scored")[1].height_px <= HEIGHT_PX
    assert _placed("longest")[1].height_px > HEIGHT_PX


def test_the_smallest_letters_have_ten_pixels_in_half_the_size() -> None:
    for case in CASES:
        assert min(m.size_px for m in _placed(case)[1].marks if isinstance(m, Line)) / 2 >= 10


def test_a_card_is_dark_and_as_large_as_its_sheet() -> None:
    said, sheet = _placed("scored")
    pixels = card_picture(said, _views(CASES["scored"]))
    assert pixels.shape == (sheet.height_px, WIDTH_PX, 3)
    assert np.median(pixels) < 40


def test_text_wraps_and_a_long_word_is_broken() -> None:
    assert wrapped("one two", 20, 1000) == ("one two",)
    lines = wrapped("see " + "W" * 50, 20, 200)
    assert "".join(lines) == "see" + "W" * 50
    assert all(letters(20).getlength(line) <= 200 for line in lines)
    assert wrapped("", 20, 100) == ()
