"""How every picture of a report looks, and its SVG."""

import hashlib
import re
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final
from warnings import catch_warnings, filterwarnings

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, SOFT, LINE = "#1c2430", "#5b6675", "#dfe3e8"
POSITIVE, NEGATIVE = "#b3361b", "#2f6285"  # PIMA, IPN
OTHERS = ("#2f6285", "#7a8a2a", "#8a5aa0", "#c08a1e", "#3f8f83", "#a0526d", "#56606e", "#b3361b")
DASHES: Final = ("-", (0, (4, 3)), (0, (1.5, 1.2)))

_LOOK: Final[Mapping[str, Any]] = {
    "svg.hashsalt": "sedas-node",  # the same identifiers each time
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.family": ["DejaVu Sans"],  # comes with matplotlib, so that the layout is the same everywhere
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.5,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "figure.constrained_layout.w_pad": 0.09,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_NO_METADATA: Final = {"Date": None, "Creator": None, "Format": None, "Type": None}


def drawn(paint: Callable[[Figure], None], *, width: float, height: float) -> str:
    """An <svg> element, in inches; its text stays text and takes the page's font."""
    with style.context(["default", dict(_LOOK)]), catch_warnings():
        # A name in letters that the measuring font lacks stays text, which the page's fonts show.
        filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        buffer = BytesIO()
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return _element(buffer.getvalue().decode())


def share_axes(axes: Axes, x: str, y: str) -> None:
    """Both from 0 to 1, square."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y, aspect="equal")
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.grid(color=LINE, linewidth=0.6)


def _element(svg: str) -> str:
    """Without prolog and the groups' names, its other names its own: a page has several pictures."""
    plain = re.sub(r'<g id="[^"]*"', "<g", svg[svg.index("<svg") :]).strip() + "\n"
    own = hashlib.sha256(plain.encode()).hexdigest()[:8]
    return re.sub(r'( id="|#)([mp][0-9a-f]{10})', rf"\g<1>{own}-\g<2>", plain)
