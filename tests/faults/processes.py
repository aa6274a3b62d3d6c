"""The processes of a node by /proc: what part each plays, its memory and its open files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from resource import getpagesize


@dataclass(frozen=True)
class Process:
    pid: int
    role: str  # node, worker, analysis, or what else the node calls its command
    rss_bytes: int
    files: int  # open file descriptors


def processes_of(pid: int) -> Iterator[Process]:
    """The node, its children and theirs; what ends meanwhile is left out."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        tasks = list(Path(f"/proc/{pid}/task").glob("*/children"))
        children = [int(child) for task in tasks for child in task.read_text().split()]
    except (OSError, IndexError):
        return
    if role := _role(words):
        yield Process(pid, role, pages * getpagesize(), files)
    for child in children:
        yield from processes_of(child)


def _role(words: list[str]) -> str:
    """Empty for what is not the node's own: the tracker of multiprocessing, and a child before its command."""
    line = " ".join(words)
    if "resource_tracker" in line:
        return ""
    if "multiprocessing" in line:
        return "analysis"
    command = words[words.index("node") + 1] if "node" in words else ""
    return "node" if command == "run" else command
