import numpy as np
import pytest

from inference.phantom import LesionKind, chest
from inference.synthetic import anatomy
from inference.synthetic.anatomy import Anatomy, draw_anatomy
from inference.synthetic.lobes import Lobe, in_lobe, lobe_at

VOLUME_SHARES = {Lobe.LUL: 0.26, Lobe.LLL: 0.22, Lobe.RUL: 0.20, Lobe.RML: 0.08, Lobe.RLL: 0.24}


def person(seed: int) -> Anatomy:
    return draw_anatomy(np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(3))
def test_the_lobes_share_the_lungs_without_gap_or_overlap(seed: int) -> None:
    a = person(seed)
    z, y, x = np.meshgrid(
        np.arange(0, a.height, 5), np.arange(-120, 120, 5), np.arange(-170, 170, 5), indexing="ij"
    )
    lungs = anatomy.lungs(a, x, y, z) < 0
    shares = {lobe: (lungs & in_lobe(lobe, a, x, y, z)).sum() / lungs.sum() for lobe in Lobe}
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    assert shares == pytest.approx(VOLUME_SHARES, abs=0.03)


def test_a_lobe_lies_where_its_name_says() -> None:
    a = person(0)
    front, back = -0.7 * a.cage[1], 0.7 * a.cage[1]
    places = {
        (70.0, front, 0.6 * a.height): Lobe.LUL,
        (70.0, front, 0.4 * a.height): Lobe.LUL,  # the lingula: there is no left middle lobe
        (70.0, back, 0.5 * a.height): Lobe.LLL,
        (-70.0, 0.0, 0.8 * a.height): Lobe.RUL,
        (-70.0, front, 0.4 * a.height): Lobe.RML,
        (-70.0, back, 0.6 * a.height): Lobe.RLL,
    }
    assert {point: lobe_at(point, a) for point in places} == places


@pytest.mark.parametrize("lobe", Lobe)
@pytest.mark.parametrize(("kind", "size_mm"), [(LesionKind.PIMA_LIKE, 90.0), (LesionKind.IPN_LIKE, 14.0)])
def test_a_lesion_has_its_centre_in_the_lobe_and_the_size_that_were_asked_for(
    lobe: Lobe, kind: LesionKind, size_mm: float
) -> None:
    phantom = chest(seed=11, lesion=kind, size_mm=size_mm, lobe=lobe, pixels=96, pixel_mm=3.7, slice_mm=10.0)
    assert phantom.position_mm is not None
    assert lobe_at(phantom.position_mm, person(11)) is lobe
    assert phantom.size_mm == pytest.approx(size_mm, abs=3.7)
    assert not (phantom.lesion & ~phantom.lungs).any()
