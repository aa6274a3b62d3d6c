"""Agreement of two models against statsmodels, scikit-learn and scipy, and where there is none to compute."""

import numpy as np
import pytest
from scipy.stats import kendalltau, linregress, rankdata, ttest_1samp
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar  # type: ignore[import-untyped]
from statsmodels.stats.inter_rater import cohens_kappa  # type: ignore[import-untyped]

from inference.evaluation.agreement import (
    McNemar,
    Pair,
    Readings,
    agreement,
    concordance,
    differences,
    kappa,
    pearson,
    spearman,
)
from inference.evaluation.agreement_section import agreement_section
from inference.evaluation.estimate import Estimate, NotComputable, computed

EXACT = 1e-9


def _pairs(seed: int, studies: int = 60) -> list[Pair]:
    rng = np.random.default_rng(seed)
    first = rng.random(studies)
    second = np.clip(0.7 * first + 0.3 * rng.random(studies), 0, 1)
    truth = rng.random(studies) < first
    known = rng.random(studies) < 0.8
    return [
        Pair(float(f), float(s), bool(t) if k else None)
        for f, s, t, k in zip(first, second, truth, known, strict=True)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_kappa_and_its_interval_are_those_of_statsmodels(seed: int) -> None:
    table = np.random.default_rng(seed).integers(1, 40, size=(2, 2))
    theirs, ours = cohens_kappa(table), computed(kappa(table))
    assert ours.value == pytest.approx(theirs.kappa, abs=EXACT)
    assert ours.low == pytest.approx(max(theirs.kappa_low, -1), abs=EXACT)
    assert ours.high == pytest.approx(min(theirs.kappa_upp, 1), abs=EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_every_figure_agrees_with_an_independent_implementation(seed: int) -> None:
    pairs = _pairs(seed)
    found = agreement(pairs, first_threshold=0.5, second_threshold=0.4)
    first, second = np.array([p.first for p in pairs]), np.array([p.second for p in pairs])
    called = first >= 0.5, second >= 0.4
    assert computed(found.kappa).value == pytest.approx(cohen_kappa_score(*called), abs=EXACT)
    assert computed(found.same).value == pytest.approx(np.mean(called[0] == called[1]), abs=EXACT)
    mean, theirs = computed(found.differences).mean, ttest_1samp(first - second, 0).confidence_interval(0.95)
    assert (mean.low, mean.high) == pytest.approx((theirs.low, theirs.high), abs=EXACT)
    assert computed(found.pearson).value == pytest.approx(linregress(first, second).rvalue, abs=EXACT)
    ranks = np.corrcoef(rankdata(first), rankdata(second))[0, 1]
    assert found.spearman == pytest.approx(ranks, abs=EXACT)
    spread = first.var() + second.var() + (first.mean() - second.mean()) ** 2
    assert found.concordance == pytest.approx(1 - np.mean((first - second) ** 2) / spread, abs=EXACT)


@pytest.mark.parametrize("seed", range(5))
def test_mcnemar_is_that_of_statsmodels_on_studies_whose_truth_is_known(seed: int) -> None:
    pairs = [p for p in _pairs(seed) if p.positive is not None]
    right = [((p.first >= 0.5) == p.positive, (p.second >= 0.3) == p.positive) for p in pairs]
    table = [[right.count((a, b)) for b in (True, False)] for a in (True, False)]
    found = agreement(_pairs(seed), first_threshold=0.5, second_threshold=0.3).mcnemar
    assert isinstance(found, McNemar)
    assert found.studies == len(pairs)
    assert (found.first_right, found.second_right) == (table[0][1], table[1][0])
    assert found.p == pytest.approx(their_mcnemar(table, exact=True).pvalue, abs=EXACT)


def test_the_limits_of_agreement_are_those_counted_by_hand() -> None:
    found = computed(differences(np.array([0.5, 0.6, 0.7]), np.array([0.4, 0.4, 0.4])))
    assert found.mean.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.2 - 0.196, 0.2 + 0.196))


def test_a_shift_lessens_concordance_and_not_correlation() -> None:
    first = np.linspace(0.1, 0.5, 9)
    assert computed(pearson(first, first + 0.3)).value == pytest.approx(1)
    assert spearman(first, first + 0.3) == pytest.approx(kendalltau(first, first + 0.3).statistic)
    assert computed(concordance(first, first + 0.3)) < 0.5


def test_what_cannot_be_computed_says_why() -> None:
    same = np.full(5, 0.5)
    assert isinstance(pearson(same, np.linspace(0, 1, 5)), NotComputable)
    assert isinstance(concordance(same, same), NotComputable)
    assert isinstance(differences(same[:2], same[:2]), NotComputable)
    assert kappa(np.array([[7, 0], [0, 0]])) == NotComputable("both read all studies alike in one class")
    nobody = agreement([], first_threshold=0.5, second_threshold=0.5)
    assert nobody.readings == Readings(0, 0, 0, 0)
    assert isinstance(nobody.kappa, NotComputable)
    unknown = agreement([Pair(0.1, 0.9, None)] * 4, first_threshold=0.5, second_threshold=0.5)
    assert unknown.mcnemar == NotComputable("no study whose truth is known")


def test_a_model_agrees_with_itself_wholly() -> None:
    pairs = [Pair(p, p, p > 0.4) for p in (0.1, 0.3, 0.6, 0.9)]
    found = agreement(pairs, first_threshold=0.5, second_threshold=0.5)
    assert found.kappa == Estimate(1.0, 1.0, 1.0)
    assert computed(found.pearson).value == computed(found.concordance) == pytest.approx(1.0)
    assert isinstance(found.mcnemar, NotComputable)


def test_the_section_prints_every_figure_and_draws_the_pairs() -> None:
    section = agreement_section(_pairs(1), ("one", "two"), first_threshold=0.5, second_threshold=0.5)
    assert len(section.tables[1].rows) == 8
    assert sum(int(cell) for row in section.tables[0].rows for cell in row[1:]) == 60
    assert section.figures[0].svg.startswith("<svg")
