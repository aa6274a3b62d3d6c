"""The statistics of a classifier of patients into two classes (paper, section Statistics): pure functions on arrays."""
