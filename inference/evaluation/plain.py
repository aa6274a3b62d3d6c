"""A report's values as JSON: a dataclass is an object, and what cannot be computed says why."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from inference.evaluation.estimate import NotComputable


def plain(value: object) -> object:
    """`value` of objects, arrays, strings and numbers; NotComputable is {"not_computable": reason}."""
    if isinstance(value, NotComputable):
        return {"not_computable": value.reason}
    if value == math.inf:  # the odds ratio of a table with an empty cell
        return plain(NotComputable("infinite"))
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


def to_bytes(value: object) -> bytes:
    """Refuses NaN and infinity, which JSON does not know."""
    return (json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
