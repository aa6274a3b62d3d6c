"""How much memory this process may still take."""

import re
from collections.abc import Iterator
from pathlib import Path


def available_bytes(root: Path = Path("/")) -> int | None:
    """Of the machine (proc(5), MemAvailable) or of a tighter control group; None where Linux does not say."""
    try:
        meminfo = (root / "proc/meminfo").read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    if found is None:
        return None
    return min([int(found[1]) * 1024, *_left_in_groups(root)])


def _left_in_groups(root: Path) -> Iterator[int]:
    """What the limits of our control group and of those around it leave (cgroup v2)."""
    try:
        line = (root / "proc/self/cgroup").read_text()
    except OSError:
        return
    found = re.search(r"^0::/(.*)$", line, re.MULTILINE)
    if found is None:
        return
    top = root / "sys/fs/cgroup"
    own = top / found[1]
    for group in (own, *own.parents):
        if (left := _left(group)) is not None:
            yield left
        if group == top:
            break


def _left(group: Path) -> int | None:
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        stat = (group / "memory.stat").read_text()
    except OSError:
        return None
    if limit == "max":
        return None
    cached = re.search(r"^inactive_file (\d+)$", stat, re.MULTILINE)  # is given back when needed
    return max(int(limit) - int(used) + (int(cached[1]) if cached else 0), 0)
