import pytest
from pydicom.uid import (
    UID,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from config.settings import Destination, Results, Settings
from node.commission import wanted

PACS = Destination(name="pacs", ae_title="PACS", host="pacs", port=104)


def test_pictures_are_always_wanted_and_nothing_else_unasked() -> None:
    assert set(wanted(Settings(), PACS)) == {SecondaryCaptureImageStorage}


@pytest.mark.parametrize(
    ("asked", "sop_class"),
    [
        ("segmentation", SegmentationStorage),
        ("key_objects", KeyObjectSelectionDocumentStorage),
        ("parametric_map", ParametricMapStorage),
        ("presentation_state", GrayscaleSoftcopyPresentationStateStorage),
    ],
)
def test_what_is_configured_is_wanted_for_that_setting(asked: str, sop_class: UID) -> None:
    settings = Settings(results=Results.model_validate({asked: True}))
    assert wanted(settings, PACS)[sop_class] == f"results.{asked}"
