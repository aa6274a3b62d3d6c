"""The words and the colour legend on a picture, placed in corners where they hide no lung.

The rule: everything is drawn in the largest letters that fit beside the lungs. Where even the smallest do not
fit, the legend goes first, then the model's statements, then all but a short score and the warning. What still
finds no place is drawn over the lungs as long as it covers little; tiny pictures keep a heading and a score.
Nothing of the patient is ever drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dicom_out.render import Rgb, coloured

WHITE = (255, 255, 255)
AMBER = (255, 209, 102)
_SMALLEST_PX = 9
_ROWS_PER_LETTER = 32  # 16 pixels high in a 512 x 512 slice
_LINE_CHARACTERS = 24
_MOST_COVERED = 0.4  # of the picture, where letters have to stand over the lungs


@dataclass(frozen=True)
class Caption:
    """What is to be read on one picture; `score` stands for `result` where that is too long."""

    heading: str
    score: str
    result: tuple[str, ...]
    warning: tuple[str, ...]
    model: tuple[str, ...]
    legend: bool


class Corner(Enum):
    """Top or bottom and left or right; the value is how far to the right and down."""

    TL = (0, 0)
    TR = (1, 0)
    BL = (0, 1)
    BR = (1, 1)


@dataclass(frozen=True)
class Block:
    """Lines, or the colour bar with its title and the words at its two ends, and the corners it may stand in, best first."""

    lines: tuple[str, ...]
    colour: tuple[int, int, int]
    corners: tuple[Corner, ...]
    bar: bool = False


@dataclass(frozen=True)
class Box:
    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True)
class Placed:
    block: Block
    box: Box
    size_px: int


def lettered(rgb: Rgb, caption: Caption, keep_visible: NDArray[np.bool_]) -> Rgb:
    """A copy of the picture with the caption in it."""
    image = Image.fromarray(rgb)
    for placed in layout(caption, keep_visible):
        _draw(ImageDraw.Draw(image), placed)
    return np.asarray(image).copy()


def layout(caption: Caption, keep_visible: NDArray[np.bool_]) -> tuple[Placed, ...]:
    """Where each block goes and how large, by the rule above."""
    rows, columns = keep_visible.shape
    largest = max(_SMALLEST_PX, rows // _ROWS_PER_LETTER)
    for blocks in _reductions(caption):
        for size_px in range(largest, _SMALLEST_PX - 1, -1):
            placed = _placed(blocks, size_px, keep_visible)
            if placed is not None:
                return placed
    for blocks in (*_reductions(caption)[-3:], (_essential(caption),)):
        placed = _placed(blocks, _SMALLEST_PX, np.zeros_like(keep_visible))
        if placed is not None and sum(p.box.area for p in placed) < _MOST_COVERED * rows * columns:
            return placed
    heading = Block((caption.heading,), WHITE, tuple(Corner))
    return (Placed(heading, _box(heading, Corner.TL, _SMALLEST_PX, (rows, columns)), _SMALLEST_PX),)


def _reductions(caption: Caption) -> tuple[tuple[Block, ...], ...]:
    """What is drawn, from everything to the least that is drawn beside the lungs."""
    result = Block((caption.heading, *caption.result), WHITE, _corners("TL TR BL BR"))
    full = Block((*caption.warning, *_wrapped(caption.model)), AMBER, _corners("BL BR TR TL"))
    short = Block(caption.warning, AMBER, _corners("BL BR TR TL"))
    bar = Block(("evidence", "study peak", "low"), WHITE, _corners("BR TR BL TL"), bar=True)
    with_legend = ((result, full, bar),) if caption.legend else ()
    return (*with_legend, (result, full), (result, short), (_essential(caption), short))


def _essential(caption: Caption) -> Block:
    return Block((caption.heading, caption.score), WHITE, _corners("TL TR BL BR"))


def _corners(names: str) -> tuple[Corner, ...]:
    return tuple(Corner[name] for name in names.split())


def _wrapped(sentences: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for sentence in sentences for line in wrap(sentence, _LINE_CHARACTERS))


def _placed(
    blocks: Sequence[Block], size_px: int, keep_visible: NDArray[np.bool_]
) -> tuple[Placed, ...] | None:
    """Each block in the first corner that is free for it, or None if one finds no place."""
    placed: list[Placed] = []
    for block in blocks:
        boxes = (_box(block, corner, size_px, keep_visible.shape) for corner in block.corners)
        free = (b for b in boxes if _is_free(b, keep_visible) and not any(b.meets(p.box) for p in placed))
        box = next(free, None)
        if box is None:
            return None
        placed.append(Placed(block, box, size_px))
    return tuple(placed)


def _is_free(box: Box, keep_visible: NDArray[np.bool_]) -> bool:
    rows, columns = keep_visible.shape
    inside = box.left >= 0 and box.top >= 0 and box.right <= columns and box.bottom <= rows
    return inside and not keep_visible[box.top : box.bottom, box.left : box.right].any()


def _box(block: Block, corner: Corner, size_px: int, shape: tuple[int, ...]) -> Box:
    rows, columns = shape
    width, height = _extent(block, size_px)
    margin = size_px // 4
    right, bottom = corner.value
    left = columns - margin - width if right else margin
    top = rows - margin - height if bottom else margin
    return Box(left, top, left + width, top + height)


def _extent(block: Block, size_px: int) -> tuple[int, int]:
    """Width and height in pixels."""
    if block.bar:
        title, *ends = block.lines
        beside_px = _width_px(ends, size_px) + size_px + size_px // 3
        return max(_width_px([title], size_px), beside_px), 6 * size_px
    return _width_px(block.lines, size_px), len(block.lines) * line_px(size_px) + 2 * _edge_px(size_px)


def _width_px(lines: Sequence[str], size_px: int) -> int:
    font = letters(size_px)
    return max(int(np.ceil(font.getlength(line))) for line in lines) + 2 * _edge_px(size_px)


def line_px(size_px: int) -> int:
    """From the top of one line to the top of the next."""
    return sum(letters(size_px).getmetrics())


def _edge_px(size_px: int) -> int:
    """The black edge around each letter, for bones and tables behind it."""
    return max(1, size_px // 8)


@cache
def letters(size_px: int) -> ImageFont.FreeTypeFont:
    """The font of all pictures."""
    font = ImageFont.load_default(size=size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise NoFreeType("Pillow is built without FreeType; pictures need letters of any size")
    return font


class NoFreeType(RuntimeError):
    """The installed Pillow can draw only one tiny font."""


def _draw(draw: ImageDraw.ImageDraw, placed: Placed) -> None:
    if placed.block.bar:
        _draw_bar(draw, placed)
    else:
        for index, line in enumerate(placed.block.lines):
            top = placed.box.top + index * line_px(placed.size_px)
            _write(draw, placed, line, (placed.box.left, top))


def _draw_bar(draw: ImageDraw.ImageDraw, placed: Placed) -> None:
    """The bar at the right, its title above it, and beside its ends what they mean."""
    box, size_px = placed.box, placed.size_px
    line_height = line_px(size_px) + 2 * _edge_px(size_px)
    top, left = box.top + line_height, box.right - size_px
    for row, colour in enumerate(coloured(np.linspace(1.0, 0.0, box.bottom - top)), start=top):
        red, green, blue = (int(channel) for channel in np.rint(colour))
        draw.line((left, row, box.right - 1, row), fill=(red, green, blue))
    beside = left - size_px // 3
    title, high, low = placed.block.lines
    for line, right, line_top in (
        (title, box.right, box.top),
        (high, beside, top),
        (low, beside, box.bottom - line_height),
    ):
        _write(draw, placed, line, (right - _width_px([line], size_px), line_top))


def _write(draw: ImageDraw.ImageDraw, placed: Placed, line: str, corner: tuple[int, int]) -> None:
    """From the top left corner of the line, its edge included."""
    edge_px = _edge_px(placed.size_px)
    left, top = corner
    font, colour = letters(placed.size_px), placed.block.colour
    draw.text(
        (left + edge_px, top + edge_px),
        line,
        font=font,
        fill=colour,
        stroke_width=edge_px,
        stroke_fill=(0, 0, 0),
    )
