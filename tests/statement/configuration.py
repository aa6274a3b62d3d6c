"""The settings with their bounds and defaults from their declaration, in the words of the example file."""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from pydantic import BaseModel, IPvAnyNetwork, StringConstraints
from pydantic.fields import FieldInfo

from config.settings import AeTitle, Settings
from tests.conftest import ROOT
from tests.statement.document import table

EXAMPLE = ROOT / "config" / "example.toml"
_OF_DIMSE = (
    "listener", "listener.tls", "completion.archive", "completion.archive.tls",
    "delivery", "delivery.destinations", "delivery.destinations.tls",
)  # fmt: skip
_AE_TITLE = get_args(AeTitle)[1].pattern
_HEADS = ("Parameter", "Meaning", "Default", "Allowed")


def configuration_tables() -> dict[str, str]:
    rows = list(_rows(Settings, ""))
    return {
        "DIMSE parameters": table(_HEADS, (row for section, row in rows if section in _OF_DIMSE)),
        "other parameters": table(_HEADS, (row for section, row in rows if section not in _OF_DIMSE)),
    }


Row = tuple[str, str, str, str]


def _rows(model: type[BaseModel], section: str) -> Iterator[tuple[str, Row]]:
    for key, field in model.model_fields.items():
        name = f"{section}.{key}".lstrip(".")
        if inner := _section_in(field.annotation):
            yield from _rows(inner, name)
        else:
            yield section, (f"`{name}`", _meaning(section, key), _default(field), _allowed(field))


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The model of a section, or of the items of a list of sections."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _meaning(section: str, key: str) -> str:
    """The comment beside the key in the example file; empty where it has none."""
    heading = rf"^(?:# )?\[+{re.escape(section)}\]+.*?"
    found = re.search(
        rf"{heading}^(?:# )?{key} = [^\n]*?(?:  +# (?P<words>[^\n]*))?$",
        EXAMPLE.read_text(),
        re.DOTALL | re.MULTILINE,
    )
    return (found["words"] or "") if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: must be given"
    return _said(field.default)


def _said(value: Any) -> str:
    match value:
        case None | () | {} if not value:
            return "empty"
        case StrEnum():
            return f"`{value.value}`"
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return ", ".join(map(_said, value))
        case float():
            return f"{value:g}"
        case _:
            return f"`{value}`" if isinstance(value, (str, Path)) else str(value)


def _allowed(field: FieldInfo) -> str:
    said = dict.fromkeys(filter(None, (_of_type(field.annotation), *map(_bound, field.metadata))))
    return "; ".join(said).removeprefix("text; ")


def _of_type(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return "; ".join(filter(None, (_of_type(inner[0]), *map(_bound, _flat(inner[1:]))))).removeprefix(
            "text; "
        )
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in inner)
    if origin in (Union, UnionType):
        return ", or ".join(_of_type(part) for part in inner if part is not NoneType)
    if origin is dict:
        return f"table from {_of_type(inner[0])}, to {_of_type(inner[1])}"
    if origin is tuple:
        return f"list of {_of_type(inner[0])}"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f"`{word}`" for word in kind)
    return {
        str: "text",
        bool: "`true`, `false`",
        int: "whole number",
        float: "number",
        Path: "path",
        IPvAnyNetwork: "IP address or network",
    }[kind]


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for constraint in metadata:
        yield from constraint.metadata if isinstance(constraint, FieldInfo) else (constraint,)


def _bound(constraint: Any) -> str:
    match constraint:
        case Ge(ge=bound):
            return f"at least {bound}"
        case Gt(gt=bound):
            return f"above {bound}"
        case Le(le=bound):
            return f"at most {bound}"
        case Lt(lt=bound):
            return f"below {bound}"
        case MinLen(min_length=least) | Len(min_length=least):
            return f"at least {least}"
        case StringConstraints(pattern=str(pattern)):
            return (
                "AE title: 1 to 16 ASCII characters, no backslash"
                if pattern == _AE_TITLE
                else f"matching `{pattern}`"
            )
        case _:
            return ""
