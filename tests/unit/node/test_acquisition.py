"""What is kept of the headers of an analysed series, and what is not."""

from dataclasses import asdict

import pytest
from pydicom.dataset import Dataset

from node.acquisition import Acquisition, acquisition_of
from tests.analyses import ct_headers


def _headers(**attributes: object) -> list[Dataset]:
    headers = ct_headers(3)
    for ds in headers:
        for keyword, value in attributes.items():
            setattr(ds, keyword, value)
    return headers


def test_the_facts_of_a_series_are_those_of_its_headers() -> None:
    headers = _headers(
        PatientAge="", ManufacturerModelName="One", ConvolutionKernel=["Br60", "3"], InstitutionName="Ward"
    )
    assert acquisition_of(headers) == Acquisition(
        65, "F", "2026-11", "Phantom", "One", "Br60\\3", 5.0, "Ward"
    )


def test_no_name_no_identifier_and_no_day_is_kept() -> None:
    kept = " ".join(map(str, asdict(acquisition_of(_headers())).values()))
    for secret in ("Doe", "Jane", "P-4711", "1961", "20261120", "A1", "Who"):
        assert secret not in kept


@pytest.mark.parametrize(
    ("attributes", "fact"),
    [
        ({"PatientSex": "FEMALE"}, "sex"),
        ({"PatientBirthDate": "", "PatientAge": ""}, "age_years"),
        ({"AcquisitionDate": "", "SeriesDate": "", "StudyDate": ""}, "month"),
        ({"SliceThickness": None}, "slice_thickness_mm"),
        ({"Manufacturer": " "}, "manufacturer"),
    ],
)
def test_what_the_headers_do_not_say_is_unknown(attributes: dict[str, object], fact: str) -> None:
    assert getattr(acquisition_of(_headers(**attributes)), fact) is None


def test_the_oldest_are_one_group() -> None:
    assert acquisition_of(_headers(PatientAge="097Y")).age_years == 90


def test_the_order_of_the_files_does_not_matter() -> None:
    headers = ct_headers(3)
    headers[1].ManufacturerModelName = "Two"
    assert acquisition_of(headers) == acquisition_of(headers[::-1])
