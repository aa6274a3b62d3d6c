"""Which slices a series lacks, by the places of those it has. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from inference.geometry import heights_mm, order, orientation
from node.headers import Header

_SAME_MM = 0.01  # two slices nearer than this are at one place
_NAMED = 3
FEWEST = 3  # slices; of fewer nobody knows the usual distance


def gaps(images: Iterable[Header]) -> dict[str, str]:
    """Of each series with gaps, in words, where they are.

    A gap is a distance of more than 1.5 times the usual one (the median). Repeated places are none. A series
    whose slices are not all turned alike, or do not say where they are, is not judged.
    """
    series: defaultdict[str, list[Header]] = defaultdict(list)
    for image in images:
        series[image.series_instance_uid].append(image)
    return {uid: words for uid, slices in series.items() if (words := _gaps(slices))}


def _gaps(slices: Sequence[Header]) -> str:
    first = slices[0]
    positions = [s.position_mm for s in slices if s.position_mm is not None]
    turned = {(s.row_direction, s.column_direction) for s in slices}
    if first.row_direction is None or first.column_direction is None:
        return ""
    if len(turned) > 1 or len(positions) < max(len(slices), FEWEST):
        return ""
    try:
        axes = orientation((*first.row_direction, *first.column_direction))
    except ValueError:
        return ""
    stack = order(axes, positions, same_mm=_SAME_MM)
    if not stack.missing:
        return ""
    every = heights_mm(axes, positions)
    pairs = zip(pairwise(every[i] for i in stack.kept), stack.distances_mm, strict=True)
    wide = [pair for pair, distance in pairs if distance in stack.gaps_mm]
    where = [f"{low:.1f} and {high:.1f} mm" for low, high in wide[:_NAMED]]
    more = [f"{len(wide) - _NAMED} more places"] if len(wide) > _NAMED else []
    return f"{stack.missing} slices are missing between {', '.join([*where, *more])}"
