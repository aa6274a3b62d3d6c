"""Slices become patients by their mean."""

import numpy as np
import pytest

from inference.evaluation.patients import by_patient


def test_each_patient_has_the_mean_of_its_slices_in_whatever_order_they_come() -> None:
    patients, probability = by_patient(
        np.array(["b", "a", "b", "c", "b"]), np.array([0.9, 0.2, 0.6, 1.0, 0.3])
    )
    assert patients.tolist() == ["a", "b", "c"]
    assert probability == pytest.approx([0.2, 0.6, 1.0])


def test_of_no_slices_there_are_no_patients() -> None:
    patients, probability = by_patient(np.array([], dtype=np.int64), np.array([]))
    assert patients.size == probability.size == 0


def test_what_is_no_probability_of_a_slice_is_refused() -> None:
    with pytest.raises(ValueError, match="probability is not finite in 1 of 2, first at 1: nan"):
        by_patient(np.array([1, 2]), np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match=r"patient has the shape \(3,\), probability \(2,\)"):
        by_patient(np.array([1, 2, 3]), np.array([0.5, 0.6]))
