"""What `result.json` says of a candidate model, and what it does not."""

from dataclasses import replace

from inference.findings import Candidate
from node.acquisition import acquisition_of
from node.result_json import as_json
from node.steps import Outcome
from tests.analyses import analysis_of, ct_headers


def test_a_candidate_stands_apart_and_has_no_label() -> None:
    headers = ct_headers(rows=64, columns=64)
    plain = analysis_of(headers)
    beside = replace(plain.classifier, version="next")
    both = replace(plain, candidate=Candidate(beside, threshold=0.4, probability=0.9))
    without, written = (
        as_json(Outcome(found, "d", acquisition_of(headers), (), (), encode_s=1.0, total_s=2.0))
        for found in (plain, both)
    )
    assert written.pop("candidate") == {
        "model": {"name": beside.name, "version": "next", "digest": beside.digest},
        "threshold": 0.4,
        "probability": 0.9,
        "failure": None,
    }
    assert without.pop("candidate") is None
    assert written == without
