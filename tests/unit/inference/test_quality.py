import numpy as np
import pytest

from inference.findings import QualityCode
from inference.quality import of_lungs, of_thickness


@pytest.mark.parametrize(("slab_mm", "stated"), [(5.0, False), (7.0, False), (8.0, True), (3.0, True)])
def test_a_slice_thickness_far_from_the_models_is_stated(slab_mm: float, stated: bool) -> None:
    assert [f.code for f in of_thickness(slab_mm, 5.0)] == [QualityCode.SLICE_THICKNESS] * stated


@pytest.mark.parametrize(("lung_ml", "stated"), [(800.0, True), (4500.0, False), (12000.0, True)])
def test_an_implausible_lung_volume_is_stated(lung_ml: float, stated: bool) -> None:
    lungs = np.zeros((5, 8, 8), dtype=np.bool_)
    lungs[2] = True
    assert [f.code for f in of_lungs(lungs, lung_ml)] == [QualityCode.LUNG_VOLUME] * stated


def test_lungs_that_reach_the_last_slice_are_cut_off() -> None:
    lungs = np.zeros((5, 8, 8), dtype=np.bool_)
    lungs[2:, 2:6, 2:6] = True
    (finding,) = of_lungs(lungs, 4000.0)
    assert finding.text == "The lungs reach the highest slice."
