"""Several models side by side, each beside the row published of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.evaluation.chapters.printed import p_value
from inference.evaluation.comparison import comparison_table, write_comparison
from inference.evaluation.contenders import NoReference, contenders
from inference.evaluation.delong import compared
from inference.evaluation.estimate import computed
from inference.evaluation.page import Head
from inference.evaluation.published import TABLE_2
from inference.evaluation.subject import Subject, probabilities_of, truth_of
from inference.evaluation.summary import summary
from tests.evaluated import abstained, patients

SUBJECTS = patients(4)
REFERENCE = "SE-DAS ResNet"
PUBLISHED = {row.name: row for row in TABLE_2}


def noisy(seed: int) -> tuple[Subject, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        replace(each, probability=float(np.clip((each.probability or 0) + rng.normal(0, 0.2), 0, 1)))
        for each in SUBJECTS
    )


MODELS = {name: SUBJECTS if name == REFERENCE else noisy(seed) for seed, name in enumerate(PUBLISHED)}


def test_each_row_is_that_models_summary_and_its_test_against_the_reference() -> None:
    table, rates = comparison_table(MODELS, reference=REFERENCE)[0].tables
    truth, ours = truth_of(SUBJECTS), probabilities_of(SUBJECTS)
    assert [row[0] for row in table.rows] == [row[0] for row in rates.rows] == list(MODELS)
    for name, *cells in table.rows:
        theirs = probabilities_of(MODELS[name])
        found = summary(truth, theirs, threshold=0.5, seed=0)
        area, counts = computed(found.auc).auc, found.counts
        figures = (found.accuracy, found.sensitivity, found.specificity, found.f1)
        assert cells[:2] == [str(counts.positive), str(counts.negative)]
        assert cells[2] == f"{area.value:.3f} ({area.low:.3f} to {area.high:.3f})"
        assert cells[3:5] == [str(counts.true_positive), str(counts.true_negative)]
        assert cells[5:9] == [f"{computed(figure).value:.3f}" for figure in figures]
        same = name == REFERENCE
        assert cells[9] == ("" if same else p_value(computed(compared(truth, ours, theirs)).p))


def test_the_published_row_stands_below_each_model_that_has_one() -> None:
    two = {REFERENCE: SUBJECTS, "another": MODELS["ResNet50"]}
    (table,) = comparison_table(two, PUBLISHED, reference=REFERENCE)[1].tables
    assert len(table.rows) == 2
    published = ("0.990 (0.978 to 1.000)", "38", "48", "0.966", "1.000", "0.941", "0.962")
    assert table.rows[1] == ("\u2003published: SE-DAS ResNet", *published)


def test_without_published_rows_there_is_no_such_section() -> None:
    headings = [section.heading for section in comparison_table(MODELS, reference=REFERENCE)]
    assert headings == ["Models compared", "ROC curves of all models", "Confusion matrices of all models"]


def test_every_model_has_its_threshold_and_its_abstentions() -> None:
    models = {**MODELS, "ResNet50": (abstained(MODELS["ResNet50"][0]), *MODELS["ResNet50"][1:])}
    found = contenders(models, reference=REFERENCE, thresholds={"ResNet50": 0.9}, published={}, seed=0)
    first, last = found[0], found[-1]
    assert (first.threshold, first.abstained, last.threshold) == (0.9, 1, 0.5)
    assert first.summary == summary(
        truth_of(SUBJECTS[1:]), probabilities_of(models["ResNet50"][1:]), threshold=0.9, seed=0
    )
    assert last.against_reference is None
    assert first.against_reference is not None
    assert first.against_reference.shared.both == 88


def test_one_class_and_nobody_give_a_comparison_too() -> None:
    for subjects in ((), SUBJECTS[:5], tuple(map(abstained, SUBJECTS))):
        sections = comparison_table({"a": subjects, "b": subjects}, reference="a")
        assert all("n/c" in row[3] for row in sections[0].tables[0].rows)


def test_a_reference_that_is_not_there_is_named() -> None:
    with pytest.raises(NoReference, match="unknown is not among a, b"):
        comparison_table({"a": SUBJECTS, "b": SUBJECTS}, reference="unknown")


def test_it_is_written_with_numbers_pictures_and_a_page(tmp_path: Path) -> None:
    found = contenders(MODELS, reference=REFERENCE, thresholds={}, published=PUBLISHED, seed=0)
    write_comparison(Head("Ablation", "Drawn patients.", ("Synthetic.",), ()), found, REFERENCE, tmp_path)
    numbers = json.loads((tmp_path / "comparison.json").read_text())
    assert [model["name"] for model in numbers["models"]] == list(MODELS)
    assert numbers["models"][0]["published"]["true_positive"] == 35
    page = (tmp_path / "comparison.html").read_text()
    assert page.count("<svg") == 2
    assert "Synthetic." in page
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {"roc-curves-of-all-models-1.svg", "confusion-matrices-of-all-models-1.svg"}
