"""From the names of somebody else's weights to ours."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from inference.training.tables import read_table


class BadKeyMap(ValueError):
    """A key map that cannot be read, or that gives two weights one name."""


class KeyMap(BaseModel):
    """From their names to ours: what is dropped, then prefixes, then patterns, each in the order of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    drop: tuple[re.Pattern[str], ...] = ()  # names that match anywhere are left out
    prefix: dict[str, str] = {}
    pattern: dict[re.Pattern[str], str] = {}  # replaced wherever they match, with groups as \\1

    def mapped(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        kept = [name for name in weights if not any(pattern.search(name) for pattern in self.drop)]
        ours = {name: self._ours(name) for name in kept}
        if len(set(ours.values())) < len(kept):
            twice = sorted(name for name, count in Counter(ours.values()).items() if count > 1)
            raise BadKeyMap(f"several weights become {twice}")
        return {new: weights[name] for name, new in ours.items()}

    def _ours(self, name: str) -> str:
        for old, new in self.prefix.items():
            if name.startswith(old):
                name = new + name.removeprefix(old)
        for pattern, replacement in self.pattern.items():
            try:
                name = pattern.sub(replacement, name)
            except (re.error, IndexError) as error:
                raise BadKeyMap(f"pattern {pattern.pattern} to {replacement}: {error}") from error
        return name


def read_key_map(path: Path) -> KeyMap:
    return read_table(path, KeyMap, BadKeyMap)
