"""From one series and its marks to the arrays of a case: the steps of `inference.analyse` up to the network.

Knows neither the patient's row in the table nor the class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.analyse import LEAST_SHARE, Segmenter, showing
from inference.annotated import select_annotated
from inference.annotations import Annotation, Kind
from inference.bundle import Preprocessing
from inference.dataset.folder import WHITE
from inference.findings import SlicePolicy
from inference.morphology import Mask
from inference.preprocess import Frame, Slab, frame, lungs_seen, slabs, windowed
from inference.targets import Region
from inference.volume import CtVolume, NoLungs


class NothingMarked(ValueError):
    """No annotation marks a lesion in these images."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """The slabs that show the lesion, feet to head, as a network may see them."""

    images: NDArray[np.uint16]  # slabs, rows, columns; windowed, not masked: 0 to `WHITE`
    lungs: NDArray[np.bool_]  # likewise
    lesion: NDArray[np.bool_]  # likewise; empty where the slices alone are marked
    marked_by: Kind
    refused_marks: int
    size_mm: float | None  # longest axial diameter of the marked region; a box has none
    sop_instance_uids: tuple[str, ...]  # of the source slices that are in the slabs


def prepare(
    volume: CtVolume,
    annotations: Sequence[Annotation],
    segment: Segmenter,
    numbers: Preprocessing,
    *,
    minimum_lung_ml: float,
) -> Prepared:
    """Raises NothingMarked, or NoLungs."""
    lungs = segment(volume)
    lung_ml = float(lungs.sum()) * volume.voxel_ml
    if lung_ml < minimum_lung_ml:
        raise NoLungs(f"{lung_ml:.0f} ml of lung, need {minimum_lung_ml:.0f} ml")
    selection = select_annotated(volume, lungs, annotations)
    if selection.kind is None:
        raise NothingMarked(" ".join(finding.text for finding in selection.findings) or "nothing is marked")
    region = selection.regions[0]
    cut = slabs(volume, numbers.slice_thickness_mm)
    shown = showing(region, cut, at_least=LEAST_SHARE[SlicePolicy.ANNOTATED])
    place = frame(volume, lungs, numbers)
    lesion = _whole(region, volume)
    grey = np.stack([windowed(volume.hu, slab, place, numbers) for slab in shown])
    return Prepared(
        images=np.rint(grey * WHITE).astype(np.uint16),
        lungs=np.stack([lungs_seen(lungs, slab, place) for slab in shown]),
        lesion=np.stack([_seen(lesion, slab, place) for slab in shown]),
        marked_by=selection.kind,
        refused_marks=len(selection.findings),
        size_mm=None if selection.kind is Kind.BOXES else region.target.size_mm,
        sop_instance_uids=tuple(volume.sop_instance_uids[k] for slab in shown for k in slab.slices),
    )


def _seen(lesion: Mask, slab: Slab, place: Frame) -> NDArray[np.bool_]:
    """In any slice of the slab: marks may lie on every fourth thin slice. Network rows, columns."""
    anywhere = np.logical_or.reduce(lesion[list(slab.slices)])
    inside: NDArray[np.bool_] = place.to_network(anywhere.astype(np.float32)) >= 0.5
    return inside


def _whole(region: Region, volume: CtVolume) -> Mask:
    """z, y, x"""
    shape = volume.hu.shape[1:]
    return np.stack([region.plane(k, (shape[0], shape[1])) for k in range(len(volume.hu))])
