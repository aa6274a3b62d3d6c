"""An analysis becomes DICOM: a summary card, a picture of each key slice, and the report that refers to them.

On request a Segmentation, a Key Object Selection, a Parametric Map and a presentation state stand beside them.

The same analysis, headers and provenance give the same bytes: no random number and no clock is read.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_out.capture import captures
from dicom_out.card import card
from dicom_out.durable import write_durably
from dicom_out.header import SourceSeries
from dicom_out.identity import Provenance
from dicom_out.key_objects import key_object_selections
from dicom_out.parametric_map import map_obstacle, parametric_maps
from dicom_out.presentation_state import presentation_states, state_obstacle
from dicom_out.report import report
from dicom_out.segmentation import segmentations
from inference.findings import Analysis


def encode(
    analysis: Analysis,
    sources: Sequence[Dataset],
    provenance: Provenance,
    annotations: Sequence[Dataset] = (),
    *,
    segmentation: bool = False,
    key_objects: bool = False,
    parametric_map: bool = False,
    presentation_state: bool = False,
) -> tuple[Dataset, ...]:
    """The card, the pictures from feet to head, what else is wanted, and then the report.

    `sources` are the headers of the analysed series, `annotations` those of the objects that marked it.
    """
    series = SourceSeries.of(sources)
    pictures = card(analysis, series, provenance), *captures(analysis, series, provenance)
    further = (
        *(segmentations(analysis, series, provenance) if segmentation else ()),
        *(key_object_selections(analysis, series, provenance) if key_objects else ()),
        *(parametric_maps(analysis, series, provenance) if parametric_map else ()),
        *(presentation_states(analysis, series, provenance) if presentation_state else ()),
    )
    return (*pictures, *further, report(analysis, series, pictures, further, provenance, annotations))


def obstacles(
    analysis: Analysis, sources: Sequence[Dataset], *, parametric_map: bool, presentation_state: bool
) -> Iterator[str]:
    """Why `encode` leaves out what is wanted here, a sentence for each."""
    series = SourceSeries.of(sources)
    if parametric_map and (why := map_obstacle(analysis, series)):
        yield f"no parametric map: {why}"
    if presentation_state and (why := state_obstacle(analysis, series)):
        yield f"no presentation state: {why}"


def write(objects: Sequence[Dataset], folder: Path) -> list[Path]:
    """Each object durably in a file named by its SOP Instance UID; writing it again changes nothing."""
    return [write_durably(content(ds), folder / f"{ds.SOPInstanceUID}.dcm") for ds in objects]


def content(ds: Dataset) -> bytes:
    """The object as a file (PS3.10)."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
