"""Values as JSON."""

import json
from math import inf, nan

import pytest

from inference.evaluation.estimate import Estimate, NotComputable
from inference.evaluation.plain import to_bytes
from inference.evaluation.subject import Sex


def test_what_cannot_be_computed_says_why_and_is_no_number() -> None:
    content = to_bytes({"a": NotComputable("no patients"), "b": (Estimate(0.5, 0.1, 0.9), Sex.FEMALE, None)})
    assert json.loads(content) == {
        "a": {"not_computable": "no patients"},
        "b": [{"value": 0.5, "low": 0.1, "high": 0.9}, "F", None],
    }


def test_an_infinite_odds_ratio_is_said_and_nan_refused() -> None:
    assert json.loads(to_bytes([inf])) == [{"not_computable": "infinite"}]
    with pytest.raises(ValueError, match="Out of range float"):
        to_bytes([nan])
