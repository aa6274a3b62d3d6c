"""A page that several commands write: each replaces its own section, between two comments, and no other."""

from pathlib import Path

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "reliability.md"
HEADING = "# Reliability\n\nWhat was tried to break the node, and what came of it.\n"


def replace_section(name: str, content: str, page: Path = PAGE) -> None:
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    text = page.read_text(encoding="utf-8") if page.exists() else HEADING
    if begin not in text:
        text += f"\n{begin}{end}"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}{content}{end}{after}", encoding="utf-8")
