"""The validators of other people, each as the list of what it finds."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.peers import require

# Of dciodvfy: private coding schemes are allowed (PS3.16 section 8.2), Device UID is Type 3 in the items of
# Contributing Equipment (PS3.3 C.12.1) and IHE AIR asks for it, and no result goes into a DICOMDIR.
_NO_FINDING = re.compile(r"<99PIMAIPN>|ContributingEquipmentSequence.*DeviceUID|needed to build DICOMDIR")
# Java 17 allows no XPath expression as long as PixelMed's; a run is too short for the thorough compiler to pay.
_LIMITS = " ".join(f"-Djdk.xml.xpath{limit}=0" for limit in ("ExprOpLimit", "ExprGrpLimit", "TotalOpLimit"))
_JAVA = f"{_LIMITS} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def dciodvfy(path: Path) -> list[str]:
    """Errors and warnings of the newest dciodvfy, which PyPI has and Debian has not."""
    program = Path(sys.executable).with_name("dciodvfy")
    lines = _run(str(program), "-new", str(path)).splitlines()
    return [s for s in lines if s.startswith(("Error", "Warning")) and not _NO_FINDING.search(s)]


def pixelmed(path: Path, template: str = "TID_1500") -> list[str]:
    """Errors of PixelMed's SR validator; its silence counts only after it has recognised the template."""
    program = require("DicomSRValidator")
    said = _run(program, "-checkcontentitemorder", "-checktemplateid", str(path)).splitlines()
    found = [line for line in said if line.startswith("Error")]
    recognised = any(f"Found Root Template {template}" in line for line in said)
    return found if recognised else [*found, "the root template was not recognised"]


def dsrdump(path: Path) -> str:
    """The report as DCMTK reads it; fails where DCMTK does."""
    return _run(require("dsrdump"), "-q", "+Pl", str(path), check=True)


def dsr2html(path: Path, html: Path) -> str:
    """The report as DCMTK renders it; of character sets that HTML cannot name, in UTF-8."""
    program = require("dsr2html")
    try:
        _run(program, str(path), str(html), check=True)
    except subprocess.CalledProcessError:
        _run(program, "+U8", str(path), str(html), check=True)
    return html.read_text(errors="replace")


def _run(*command: str, check: bool = False) -> str:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=check,
        timeout=120,
        env=os.environ | {"JAVA_TOOL_OPTIONS": _JAVA},
    )
    return done.stdout
