from collections.abc import Iterator
from typing import Any

import pytest
from pydicom.sr._concepts_dict import concepts
from pydicom.sr.coding import Code

from dicom_out import codes
from inference.findings import SlicePolicy
from tests.analyses import analysis_of, ct_headers

# Of SNOMED CT and UCUM the standard's dictionaries carry only what its own context groups use.
NOT_IN_THE_DICTIONARIES = {"786838002", "309529002", "{slices}", "ml", "en-US"}


def _every_code() -> Iterator[Code]:
    for value in vars(codes).values():
        if isinstance(value, Code):
            yield value
        elif isinstance(value, dict):
            yield from (code for code in value.values() if isinstance(code, Code))


def _meanings(code: Code) -> set[str]:
    scheme: dict[str, Any] = concepts[code.scheme_designator]
    return {by_value[code.value][0] for by_value in scheme.values() if code.value in by_value}


@pytest.mark.parametrize("code", list(_every_code()), ids=lambda code: code.value)
def test_a_public_code_means_what_the_standard_says(code: Code) -> None:
    if code.scheme_designator == codes.PRIVATE_SCHEME:
        assert len(code.value) <= 16  # SH
        assert len(code.meaning) <= 64  # LO
    elif code.value not in NOT_IN_THE_DICTIONARIES:
        assert code.meaning in _meanings(code)


def test_a_private_value_names_one_thing() -> None:
    private = [code for code in _every_code() if code.scheme_designator == codes.PRIVATE_SCHEME]
    assert len({code.value for code in private}) == len(private)


@pytest.mark.parametrize(
    ("policy", "size_mm", "expected"),
    [
        (SlicePolicy.ANNOTATED, 29.9, codes.NODULE),
        (SlicePolicy.ANNOTATED, 30.0, codes.MASS),
        (SlicePolicy.AUTOMATIC, 12.0, None),
        (SlicePolicy.AUTOMATIC, 58.0, None),
        (SlicePolicy.NONE, 12.0, None),
    ],
)
def test_only_a_marked_target_is_called_a_nodule_or_a_mass(
    policy: SlicePolicy, size_mm: float, expected: Code | None
) -> None:
    assert codes.finding(analysis_of(ct_headers(), policy=policy, size_mm=size_mm)) == expected
