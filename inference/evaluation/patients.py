"""From slices to patients, which all statistics are of."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.evaluation.sample import Scores, check_shares
from inference.findings import pool

_Name = TypeVar("_Name", np.str_, np.int64)


def by_patient(patient: NDArray[_Name], probability: Scores) -> tuple[NDArray[_Name], Scores]:
    """Each patient once, sorted, and the mean of the slice probabilities, as the service pools them."""
    check_shares(probability, "probability")
    if patient.shape != probability.shape:
        raise ValueError(f"patient has the shape {patient.shape}, probability {probability.shape}")
    patients, place = np.unique(patient, return_inverse=True)
    ends = np.cumsum(np.bincount(place, minlength=patients.size))[:-1]
    slices = np.split(probability[np.argsort(place, kind="stable")], ends) if patients.size else []
    return patients, np.array([pool(each) for each in slices], dtype=np.float64)
