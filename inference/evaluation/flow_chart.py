"""The selection flow as a drawing (TRIPOD+AI item 20a): who was screened, who was left out and why, who is in."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from inference.evaluation.flow import Flow

_FONT = 13  # pixels
_LINE = 18
_PAD = 12
_GAP = 34  # between boxes
_WIDEST = 80  # characters of a line
_CHARACTER = 7.8  # pixels, of a wide one: the font is the viewer's


@dataclass(frozen=True)
class _Box:
    lines: tuple[str, ...]  # the first is the heading

    @property
    def width(self) -> float:
        return max(map(len, self.lines)) * _CHARACTER + 2 * _PAD

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + 2 * _PAD - (_LINE - _FONT)


def flow_svg(flow: Flow) -> str:
    """Self-contained SVG; the same flow, the same text."""
    screened = _Box(("Patients screened", f"n = {flow.screened}"))
    left = sum(e.patients for e in flow.excluded)
    excluded = _Box((f"Excluded, n = {left}", *_reasons(flow))) if flow.excluded else None
    kept = (sum(g.positive for g in flow.included), sum(g.negative for g in flow.included))
    groups = [_Box((_cut(g.name), _numbers(g.positive, g.negative))) for g in flow.included]
    return _drawn(screened, excluded, _Box(("Included", _numbers(*kept))), groups)


def _drawn(screened: _Box, excluded: _Box | None, kept: _Box, groups: list[_Box]) -> str:
    trunk = max(screened.width, kept.width)
    row = sum(g.width for g in groups) + _GAP * (len(groups) - 1) if len(groups) > 1 else 0.0
    middle = max(row, trunk) / 2 + 1
    side = middle + max(trunk / 2, 20) + _GAP
    between = max(_GAP, excluded.height + 20) if excluded else _GAP
    kept_top = screened.height + between + 1
    width = max(2 * middle, side + excluded.width + 1 if excluded else 0.0)
    height = kept_top + kept.height + 1 + (_GAP + groups[0].height if row else 0.0)
    parts = [*_place(screened, middle, 1), _arrow(middle, screened.height + 1, middle, kept_top)]
    if excluded:
        across = screened.height + 1 + between / 2
        parts += [_arrow(middle, across, side, across)]
        parts += _place(excluded, side + excluded.width / 2, across - excluded.height / 2)
    parts += _place(kept, middle, kept_top)
    if row:
        parts += _fan(groups, middle, row, kept_top + kept.height)
    return _HEAD.format(width=round(width), height=round(height)) + "\n".join(parts) + "\n</svg>\n"


def _fan(groups: list[_Box], middle: float, row: float, top: float) -> Iterator[str]:
    """The groups side by side, each under a line from the trunk."""
    bend, x = top + _GAP / 2, middle - row / 2
    yield _line(middle, top, middle, bend)
    yield _line(x + groups[0].width / 2, bend, middle + row / 2 - groups[-1].width / 2, bend)
    for group in groups:
        centre = x + group.width / 2
        yield _arrow(centre, bend, centre, top + _GAP)
        yield from _place(group, centre, top + _GAP)
        x += group.width + _GAP


_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    'role="img" aria-label="Selection flow" font-family="system-ui, Helvetica, Arial, sans-serif" '
    f'font-size="{_FONT}" fill="#1c2430">\n'
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#5b6675"/></marker></defs>\n'
)


def _reasons(flow: Flow) -> Iterator[str]:
    for one in flow.excluded:
        yield f"{one.patients}  {_cut(one.reason)}"


def _numbers(positive: int, negative: int) -> str:
    return f"n = {positive + negative}: {positive} PIMA, {negative} IPN"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _place(box: _Box, middle: float, top: float) -> Iterator[str]:
    left = middle - box.width / 2
    yield (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="4" '
        'fill="#fff" stroke="#5b6675"/>'
    )
    for number, line in enumerate(box.lines):
        bold = ' font-weight="650"' if number == 0 else ""
        y = top + _PAD + _FONT - 2 + number * _LINE
        yield f'<text x="{left + _PAD:.1f}" y="{y:.1f}"{bold}>{escape(line)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#5b6675"{more}/>'


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return _line(x1, y1, x2, y2, ' marker-end="url(#tip)"')
