"""The summary card as a picture: where its words and its views of the target stand.

Nothing is ever cut: text wraps, the views give way down to a smallest size, and then the card grows longer.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from dicom_out.lettering import AMBER, Box, letters, line_px
from dicom_out.render import Rgb
from dicom_out.views import View, drawn

WIDTH_PX = 1024
HEIGHT_PX = 1120  # as long as everything fits
_MARGIN_PX = 36
_INNER_PX = WIDTH_PX - 2 * _MARGIN_PX
_GAP_PX = 16
_PAD_PX = 12
_VIEW_GAP_PX = 20
_NAME_PX = 158  # of the column of names
_VIEW_SIDES_PX = range(304, 207, -8)

_HEADING, _LABEL, _NUMBER, _SENTENCE, _WORDS, _SMALL = 30, 46, 124, 72, 25, 21  # letters in pixels

Colour = tuple[int, int, int]
_PAPER, _LINE, _INK, _SOFT = (16, 20, 24), (43, 50, 59), (230, 233, 238), (152, 163, 179)
_ACCENT, _WARN_PAPER = (255, 122, 85), (42, 36, 21)
_EDGE = (0, 0, 0)


@dataclass(frozen=True)
class Fact:
    """A name and what is to be said under it, each sentence on a new line."""

    name: str
    sentences: tuple[str, ...]
    caution: bool = False
    small: bool = False


@dataclass(frozen=True)
class Score:
    """The class with its probability and threshold (0..1), which lie between the two ends of a scale."""

    label: str
    meaning: str
    number: str
    notes: tuple[str, ...]
    probability: float
    threshold: float
    threshold_words: str
    ends: tuple[str, str]


@dataclass(frozen=True)
class Refusal:
    """Why there is no score: a few words, and the reasons."""

    headline: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """What must be known about the result, in a box of its own."""

    text: str
    caution: bool = True


@dataclass(frozen=True)
class Words:
    """All that is to be read on one card."""

    heading: str
    warning: str
    result: Score | Refusal
    notes: tuple[Note, ...]
    facts: tuple[Fact, ...]
    ending: str


@dataclass(frozen=True)
class Line:
    """One line of text at its top left corner."""

    text: str
    size_px: int
    colour: Colour
    left: int
    top: int
    bold: bool = False
    edged: bool = False  # in black, over a picture

    @property
    def box(self) -> Box:
        width = _width(self.text, self.size_px) + 2 * self.stroke_px
        return Box(self.left, self.top, self.left + width, self.top + line_px(self.size_px))

    @property
    def stroke_px(self) -> int:
        return max(1, self.size_px // 40) if self.bold else 0


@dataclass(frozen=True)
class Bar:
    """A filled rectangle with round corners, behind the lines."""

    box: Box
    colour: Colour


Mark = Line | Bar


@dataclass(frozen=True)
class Sheet:
    """Where everything stands; the views in their order."""

    height_px: int
    marks: tuple[Mark, ...]
    views: tuple[Box, ...]


def card_picture(words: Words, views: Sequence[View]) -> Rgb:
    """The card, 1024 pixels wide."""
    sheet = layout(words, views)
    image = Image.new("RGB", (WIDTH_PX, sheet.height_px), _PAPER)
    draw = ImageDraw.Draw(image)
    for view, box in zip(views, sheet.views, strict=True):
        image.paste(Image.fromarray(drawn(view, box.right - box.left)), (box.left, box.top))
    for mark in sheet.marks:
        _draw(draw, mark)
    return np.asarray(image).copy()


def layout(words: Words, views: Sequence[View]) -> Sheet:
    """With the largest views with which the card keeps its height, or else longer."""
    sheets = (_sheet(words, views, side_px) for side_px in _VIEW_SIDES_PX)
    sheet = next(sheets)
    for smaller in sheets if views else ():
        if sheet.height_px <= HEIGHT_PX:
            break
        sheet = smaller
    return sheet


def wrapped(text: str, size_px: int, width_px: int) -> tuple[str, ...]:
    """Lines of at most `width_px`; a word that is longer is broken."""
    lines: list[str] = []
    for piece in (piece for word in text.split() for piece in _pieces(word, size_px, width_px)):
        if lines and _width(f"{lines[-1]} {piece}", size_px) <= width_px:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    return tuple(lines)


def _pieces(word: str, size_px: int, width_px: int) -> Iterable[str]:
    while _width(word, size_px) > width_px:
        end = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _width(word[:n], size_px) <= width_px)
        yield word[:end]
        word = word[end:]
    yield word


def _sheet(words: Words, views: Sequence[View], side_px: int) -> Sheet:
    marks = _heading(words, _MARGIN_PX)
    marks += _result(words.result, _bottom(marks) + _GAP_PX)
    marks += _notes(words.notes, _bottom(marks) + _GAP_PX)
    boxes = _boxes(len(views), side_px, _bottom(marks) + _GAP_PX)
    for view, box in zip(views, boxes, strict=True):
        marks += _captions(view, box)
    top = _bottom(marks) + _GAP_PX
    for fact in words.facts:
        marks += _fact(fact, top)
        top = _bottom(marks) + _GAP_PX // 2
    marks += _ending(words.ending, _bottom(marks) + _GAP_PX)
    return Sheet(_bottom(marks) + _MARGIN_PX, tuple(marks), boxes)


def _heading(words: Words, top: int) -> list[Mark]:
    left = Line(words.heading, _HEADING, _SOFT, _MARGIN_PX, top)
    width = _width(words.warning, _HEADING)
    return [left, Line(words.warning, _HEADING, AMBER, WIDTH_PX - _MARGIN_PX - width, top)]


def _result(result: Score | Refusal, top: int) -> list[Mark]:
    return _score(result, top) if isinstance(result, Score) else _refusal(result, top)


def _score(score: Score, top: int) -> list[Mark]:
    label = Line(score.label, _LABEL, _ACCENT, _MARGIN_PX, top, bold=True)
    meaning = Line(score.meaning, _HEADING, _INK, label.box.right + _GAP_PX, 0)
    number = Line(score.number, _NUMBER, _INK, _MARGIN_PX, label.box.bottom - _GAP_PX, bold=True)
    notes = _paragraph(score.notes, _WORDS, _SOFT, number.box.right + 2 * _GAP_PX, 0)
    beside = (*_on_baseline([meaning], label), *_on_baseline(notes, number))
    return [label, number, *beside, *_scale(score, number.box.bottom - _GAP_PX // 2)]


def _scale(score: Score, top: int) -> list[Mark]:
    """From the class below the threshold to the one above, filled up to the probability."""

    def at(share: float) -> int:
        return _MARGIN_PX + round(share * _INNER_PX)

    low, high = score.ends
    right = WIDTH_PX - _MARGIN_PX
    under = top + 24
    ends = (
        Line(low, _SMALL, _SOFT, _MARGIN_PX, under),
        Line(high, _SMALL, _SOFT, right - _width(high, _SMALL), under),
    )
    width = _width(score.threshold_words, _SMALL)
    left = min(
        max(at(score.threshold) - width // 2, ends[0].box.right + _GAP_PX), ends[1].left - _GAP_PX - width
    )
    tick = min(max(at(score.threshold), _MARGIN_PX + 2), right - 2)
    return [
        Bar(Box(_MARGIN_PX, top + 6, right, top + 18), _LINE),
        Bar(Box(_MARGIN_PX, top + 6, max(at(score.probability), _MARGIN_PX + 4), top + 18), _ACCENT),
        Bar(Box(tick - 2, top, tick + 2, top + 24), _INK),
        *ends,
        Line(score.threshold_words, _SMALL, _SOFT, left, under),
    ]


def _refusal(refusal: Refusal, top: int) -> list[Mark]:
    lines = wrapped(refusal.headline, _SENTENCE, _INNER_PX - _GAP_PX)
    marks: list[Mark] = []
    marks += _stacked(lines, _SENTENCE, _INK, _MARGIN_PX, top, bold=True)
    marks += _paragraph(refusal.reasons, _HEADING, _INK, _MARGIN_PX, _bottom(marks) + _GAP_PX // 2)
    return marks


def _notes(notes: Iterable[Note], top: int) -> list[Mark]:
    """Beside one another where there is room."""
    marks: list[Mark] = []
    left = _MARGIN_PX
    for note in notes:
        lines = wrapped(note.text, _WORDS, _INNER_PX - 2 * _PAD_PX)
        width = max(_width(line, _WORDS) for line in lines) + 2 * _PAD_PX
        if left > _MARGIN_PX and left + width > WIDTH_PX - _MARGIN_PX:
            left, top = _MARGIN_PX, _bottom(marks) + _GAP_PX // 2
        box = Box(left, top, left + width, top + len(lines) * line_px(_WORDS) + _GAP_PX // 2)
        paper, ink = (_WARN_PAPER, AMBER) if note.caution else (_LINE, _INK)
        marks.append(Bar(box, paper))
        marks += _stacked(lines, _WORDS, ink, left + _PAD_PX, top + _GAP_PX // 4)
        left = box.right + _GAP_PX // 2
    return marks


def _boxes(count: int, side_px: int, top: int) -> tuple[Box, ...]:
    lefts = (_MARGIN_PX + index * (side_px + _VIEW_GAP_PX) for index in range(count))
    return tuple(Box(left, top, left + side_px, top + side_px) for left in lefts)


def _captions(view: View, box: Box) -> list[Mark]:
    """Its words below, and the directions at its sides."""
    left, right = view.sides
    middle = (box.top + box.bottom - line_px(_SMALL)) // 2
    lines = wrapped(view.caption, _SMALL, box.right - box.left)
    return [
        Line(left, _SMALL, _INK, box.left + 6, middle, edged=True),
        Line(right, _SMALL, _INK, box.right - 6 - _width(right, _SMALL), middle, edged=True),
        *_stacked(lines, _SMALL, _SOFT, box.left, box.bottom + 4),
    ]


def _fact(fact: Fact, top: int) -> list[Mark]:
    size_px = _SMALL if fact.small else _WORDS
    colour = AMBER if fact.caution else _SOFT if fact.small else _INK
    said = _paragraph(fact.sentences, size_px, colour, _MARGIN_PX + _NAME_PX, top)
    return [Line(fact.name, size_px, _SOFT, _MARGIN_PX, top), *said]


def _ending(text: str, top: int) -> list[Mark]:
    rule = Bar(Box(_MARGIN_PX, top, WIDTH_PX - _MARGIN_PX, top + 2), _LINE)
    return [rule, *_paragraph((text,), _SMALL, AMBER, _MARGIN_PX, top + _GAP_PX // 2)]


def _paragraph(sentences: Iterable[str], size_px: int, colour: Colour, left: int, top: int) -> list[Line]:
    width_px = WIDTH_PX - _MARGIN_PX - left
    lines = [line for sentence in sentences for line in wrapped(sentence, size_px, width_px)]
    return _stacked(lines, size_px, colour, left, top)


def _stacked(
    lines: Iterable[str], size_px: int, colour: Colour, left: int, top: int, *, bold: bool = False
) -> list[Line]:
    return [
        Line(line, size_px, colour, left, top + index * line_px(size_px), bold)
        for index, line in enumerate(lines)
    ]


def _on_baseline(lines: Sequence[Line], other: Line) -> list[Line]:
    """Moved so that the last of them stands on the same line as `other`."""
    down = _baseline(other) - _baseline(lines[-1])
    return [replace(line, top=line.top + down) for line in lines]


def _baseline(line: Line) -> int:
    ascent, _ = letters(line.size_px).getmetrics()
    return line.top + ascent


def _bottom(marks: Iterable[Mark]) -> int:
    return max(mark.box.bottom for mark in marks)


@lru_cache(maxsize=4096)  # the same lines are measured for every size of the views
def _width(text: str, size_px: int) -> int:
    return math.ceil(letters(size_px).getlength(text))


def _draw(draw: ImageDraw.ImageDraw, mark: Mark) -> None:
    match mark:
        case Line():
            at = (mark.left + mark.stroke_px, mark.top)
            font = letters(mark.size_px)
            edge_px, edge = (2, _EDGE) if mark.edged else (mark.stroke_px, mark.colour)
            draw.text(at, mark.text, font=font, fill=mark.colour, stroke_width=edge_px, stroke_fill=edge)
        case Bar(box, colour):
            corners = (box.left, box.top, box.right - 1, box.bottom - 1)
            draw.rounded_rectangle(corners, radius=min(6, (box.bottom - box.top) // 2), fill=colour)
