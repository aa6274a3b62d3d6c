"""The SOP classes that the node does something with."""

from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

from inference.annotations import KINDS

CT_CLASSES = frozenset({CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage})
"""An object of these classes is an image to analyse and opens a job."""

ANNOTATION_CLASSES = frozenset(KINDS)
"""One of these may name slices: in a study with a job it opens the next generation, before that it waits."""
