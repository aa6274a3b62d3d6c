"""Models that load and run quickly, for tests that look at something else; the acceptance tests use the default."""

import json
import shutil
from pathlib import Path

from config.settings import Inference, Settings
from inference.bundle import CARD, demonstration

QUICK = Inference(segmenter="threshold", backend="eager")
QUICK_SETTINGS = Settings(inference=QUICK)


def next_version(folder: Path) -> Path:
    """The demonstration model in `folder`, under another version and so another digest."""
    shutil.copytree(demonstration(), folder)
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, "version": "next"}))
    return folder
