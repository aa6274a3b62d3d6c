"""TOML files as frozen values, with all their mistakes in one error."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Values = TypeVar("Values", bound=BaseModel)


def read_table(
    path: Path, kind: type[Values], bad: type[ValueError], computed: Mapping[str, str] | None = None
) -> Values:
    """Raises `bad`. What is `computed` stands for what the file cannot know."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return kind.model_validate({**values, **(computed or {})})
    except OSError as error:
        raise bad(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, e['loc'])) or 'all'}: {e['msg']}" for e in error.errors())
        raise bad("\n  ".join([f"{path}:", *mistakes])) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise bad(f"{path}: not TOML: {error}") from error
