import pytest

from inference.kernels import Sharpness, sharpness


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ("B70f", Sharpness.SHARP),
        ("B40f", Sharpness.SOFT),
        ("Br40d\\3", Sharpness.SOFT),
        ("Bl57d\\3", Sharpness.SHARP),
        ("LUNG", Sharpness.SHARP),
        ("BONEPLUS", Sharpness.SHARP),
        ("STANDARD", Sharpness.SOFT),
        ("FC08", Sharpness.SOFT),
        ("FC52", Sharpness.SHARP),
        ("YB", Sharpness.SHARP),
        ("B", Sharpness.SOFT),
        ("UB", Sharpness.UNKNOWN),
        ("", Sharpness.UNKNOWN),
    ],
)
def test_kernels_of_the_vendors_are_known(kernel: str, expected: Sharpness) -> None:
    assert sharpness(kernel) is expected
