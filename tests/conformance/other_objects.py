"""A Segmentation and a Key Object Selection in the form that they would have in a result of ours."""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from dicom_out.stamp import stamp
from tests.analyses import PROVENANCE, analysis_of
from tests.annotation_objects import AUTOMATIC, LUNG, key_objects, segmentation

FOR_RESEARCH = Code("113009", "DCM", "For Research")


def _stamped(ds: Dataset, sources: Sequence[Dataset]) -> Dataset:
    analysis = analysis_of(sources)
    stamp(ds, sources[0], PROVENANCE, (analysis.classifier, analysis.segmenter))
    return ds


def lungs_segmented(sources: Sequence[Dataset]) -> Dataset:
    mask = np.zeros((len(sources), int(sources[0].Rows), int(sources[0].Columns)), dtype=np.bool_)
    mask[:, 4:-4, 4:-4] = True
    ds = segmentation(sources, [mask], [LUNG], algorithm=AUTOMATIC)
    ds["PixelData"].VR = "OB"
    ds.SeriesDescription = "AI RESEARCH lungs"
    return _stamped(ds, sources)


def slices_selected(sources: Sequence[Dataset]) -> Dataset:
    ds = key_objects(sources, FOR_RESEARCH)
    ds.SeriesDescription = "AI RESEARCH key slices"
    ds.ContinuityOfContent = "SEPARATE"
    for item in ds.ContentSequence:
        if item.ValueType in ("IMAGE", "COMPOSITE") and "ConceptNameCodeSequence" in item:
            del item.ConceptNameCodeSequence  # TID 2010 row 8 allows no purpose of reference
    return _stamped(ds, sources)
