"""Reading the configuration: TOML, then environment variables over it; the only reader of either.

`SEDAS_NODE_LISTENER__PORT=104` sets `port` of `[listener]`; values are TOML, or plain text. Systemd credentials
stand for files that no setting names (`CREDENTIALS`).
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.settings import Settings

PREFIX = "SEDAS_NODE_"
PATH_VARIABLE = "SEDAS_NODE_CONFIG"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"  # systemd.exec(5)
CREDENTIALS = {
    "audit.key": ("audit", "key_file"),
    "database-password": ("storage", "database_password_file"),
}
"""The setting that a credential of this name stands for, where none is configured."""
DEFAULT_PATH = Path("/etc/sedas-node/config.toml")


class BadConfig(Exception):
    """The configuration cannot be used; the message lists every mistake."""


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `path`, else of the file that `SEDAS_NODE_CONFIG` names, else of /etc, else defaults."""
    named = path or (Path(environment[PATH_VARIABLE]) if PATH_VARIABLE in environment else None)
    source = named or DEFAULT_PATH
    values = _read(source) if named or source.exists() else {}
    for name, text in environment.items():
        if name.startswith(PREFIX) and name != PATH_VARIABLE:
            _override(values, name, text)
    _take_credentials(values, environment)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadConfig("\n  ".join([f"{source} and {PREFIX}* variables:", *mistakes])) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path}: not TOML: {error}") from error


def _override(values: dict[str, Any], name: str, text: str) -> None:
    section, _, key = name.removeprefix(PREFIX).lower().partition("__")
    if not key:
        raise BadConfig(f"{name}: expected {PREFIX}<SECTION>__<KEY>")
    keys = values.setdefault(section, {})
    if not isinstance(keys, dict):
        raise BadConfig(f"{section}: expected a section [{section}], got {keys!r}")
    keys[key] = _parsed(text)


def _take_credentials(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    if CREDENTIALS_VARIABLE in environment:
        for name, (section, key) in CREDENTIALS.items():
            file = Path(environment[CREDENTIALS_VARIABLE]) / name
            keys = values.setdefault(section, {})
            if file.exists() and isinstance(keys, dict):
                keys.setdefault(key, file)


def _parsed(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
