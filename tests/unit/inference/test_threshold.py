from inference.phantom import LesionKind, as_volume, chest
from inference.threshold import Rules, ThresholdSegmenter
from inference.training.embedded.metrics import dice
from tests.phantom import small_chest


def test_thin_slices_give_the_same_lungs() -> None:
    phantom = chest(seed=1, lesion=LesionKind.IPN_LIKE, pixels=96, pixel_mm=3.8, slice_mm=1.25)
    found = ThresholdSegmenter()(as_volume(phantom))
    assert dice(found, phantom.lungs) > 0.97


def test_no_lung_is_found_where_there_is_none() -> None:
    phantom = small_chest()
    volume = as_volume(phantom)
    volume.hu.flags.writeable = True
    body = chest(seed=1, lesion=None, pixels=64, pixel_mm=5.6)
    solid = as_volume(body)
    solid.hu[body.hu < -200] = 40
    assert not ThresholdSegmenter()(solid).any()


def test_the_digest_tells_rules_apart() -> None:
    one, same, other = ThresholdSegmenter(), ThresholdSegmenter(), ThresholdSegmenter(Rules(air_hu=-500))
    assert one.identity == same.identity
    assert one.identity.digest != other.identity.digest
