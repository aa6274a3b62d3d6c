from dataclasses import replace

import pytest
from pydicom.uid import EnhancedSRStorage

from config.settings import Settings
from dicom_out.identity import Predecessor
from inference.findings import QualityCode
from node.steps import Origin, _digest
from tests.analyses import PROVENANCE, analysis_of, ct_headers

ANALYSIS = analysis_of(ct_headers(rows=64, columns=64))
ORIGIN = Origin(PROVENANCE.installation_id, 1, PROVENANCE.at)


def digest(origin: Origin = ORIGIN, **sections: dict[str, object]) -> str:
    return _digest([], [], ANALYSIS, Settings.model_validate(sections), origin)


def test_the_same_facts_give_the_same_digest() -> None:
    assert digest() == digest(
        inference={"batch_size": 3}
    )  # how many slices are computed at once moves nothing


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("abstain_for", [QualityCode.GANTRY_TILT]),
        ("algorithm_annotations", True),
        ("device", "cuda:0"),
        ("backend", "eager"),
        ("precision", "bf16"),
    ],
)
def test_a_setting_that_moves_a_result_gives_another_digest(name: str, value: object) -> None:
    assert digest(inference={name: value}) != digest()


@pytest.mark.parametrize("name", ["segmentation", "key_objects", "parametric_map", "presentation_state"])
def test_what_else_is_made_gives_another_digest(name: str) -> None:
    assert digest(results={name: True}) != digest()


def test_what_is_released_gives_another_digest() -> None:
    assert digest(release={"automatic": "candidates"}) != digest()


def test_a_predecessor_gives_another_digest() -> None:
    assert digest(replace(ORIGIN, predecessor=Predecessor("1.2", "1.2.3", EnhancedSRStorage))) != digest()


def test_what_is_missing_gives_another_digest() -> None:
    assert digest(replace(ORIGIN, missing="study incomplete: series 1.2: 40 of 120")) != digest()
