"""Intervals and tests compared with independent calculations: closed forms, scipy, resampling."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from fmnist.evaluation.statistics import (
    CHI_SQUARED,
    EXACT,
    corrected_resampled_t,
    count_discordant,
    crossval_interval,
    holm_correction,
    mcnemar,
    paired_bootstrap_interval,
    prediction_interval,
    wilson_interval,
)


@pytest.mark.parametrize(("first", "second"), [(1, 9), (9, 1), (5, 3), (0, 6), (12, 12), (0, 24)])
def test_mcnemar_is_exact_for_few_discordant_rows(first: int, second: int) -> None:
    total, small = first + second, min(first, second)
    tail = sum(math.comb(total, count) for count in range(small + 1)) / 2**total
    result = mcnemar(first, second)
    assert result.test == EXACT
    assert result.p == pytest.approx(min(1.0, 2 * tail), rel=1e-12)


@pytest.mark.parametrize(("first", "second"), [(10, 15), (25, 0), (400, 312), (60, 60)])
def test_mcnemar_is_chi_squared_for_many_discordant_rows(first: int, second: int) -> None:
    """Chi-squared with one degree of freedom is the square of a normal variable."""
    statistic = (abs(first - second) - 1) ** 2 / (first + second)
    result = mcnemar(first, second)
    assert result.test == CHI_SQUARED
    assert result.p == pytest.approx(math.erfc(math.sqrt(statistic / 2)), rel=1e-9)


def test_models_without_discordant_rows_do_not_differ() -> None:
    assert mcnemar(0, 0).p == 1.0
    assert paired_bootstrap_interval(0, 0, 100, seed=0) == (0.0, 0.0)


def test_count_discordant() -> None:
    first = np.array([True, True, True, False, False])
    second = np.array([True, False, False, True, False])
    assert count_discordant(first, second) == (2, 1)


def test_the_bootstrap_of_counts_equals_a_bootstrap_of_rows() -> None:
    """Compared with 4,000 samples of 2,000 rows, and with the normal approximation."""
    rng = np.random.default_rng(1)
    rows = np.repeat([1, -1, 0], [170, 110, 1720])
    samples = rng.choice(rows, size=(4000, len(rows))).mean(axis=1)
    low, high = paired_bootstrap_interval(170, 110, 2000, seed=0)
    assert (low, high) == pytest.approx(tuple(np.quantile(samples, [0.025, 0.975])), abs=7e-4)
    error = math.sqrt((280 / 2000 - 0.03**2) / 2000)
    assert (low, high) == pytest.approx((0.03 - 1.96 * error, 0.03 + 1.96 * error), abs=7e-4)


def test_the_bootstrap_depends_only_on_its_seed() -> None:
    first, again, other = (
        paired_bootstrap_interval(3000, 2000, 50_000, seed) for seed in (3, 3, 4)
    )
    assert first == again != other


def test_holm_correction_by_hand() -> None:
    """Factors 4, 3, 2, 1 in ascending order, monotonic, at most 1."""
    assert holm_correction([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm_correction([0.7, 0.6]) == [1.0, 1.0]
    assert holm_correction([]) == []


def test_the_corrected_resampled_t_test_is_a_paired_t_test_with_a_larger_error() -> None:
    """The t statistic of scipy's paired test times sqrt((1 / k) / (1 / k + 1 / (folds - 1)))."""
    first = [0.881, 0.884, 0.879, 0.89, 0.886]
    second = [0.874, 0.88, 0.881, 0.88, 0.879]
    plain = stats.ttest_rel(first, second)
    shrunk = plain.statistic * math.sqrt((1 / 5) / (1 / 5 + 1 / 4))
    result = corrected_resampled_t(first, second, folds=5)
    assert result.difference == pytest.approx(0.0052)
    assert result.p == pytest.approx(2 * stats.t.sf(shrunk, 4))
    low, high = plain.confidence_interval()
    widened = (high - low) / 2 * math.sqrt((1 / 5 + 1 / 4) / (1 / 5))
    assert (result.low, result.high) == pytest.approx((0.0052 - widened, 0.0052 + widened))
    back = corrected_resampled_t(second, first, folds=5)
    assert (back.difference, back.p) == pytest.approx((-result.difference, result.p))


def test_the_corrected_resampled_t_test_without_variance() -> None:
    assert corrected_resampled_t([0.5, 0.75], [0.5, 0.75], folds=2).p == 1.0
    assert corrected_resampled_t([0.5, 0.75], [0.25, 0.5], folds=2).p == 0.0


@pytest.mark.parametrize(
    ("correct", "total", "confidence"),
    [(8, 10, 0.95), (9087, 10_000, 0.95), (1, 3, 0.5), (0, 7, 0.99), (7, 7, 0.99)],
)
def test_wilson_interval_by_its_formula(correct: int, total: int, confidence: float) -> None:
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / total
    center = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) * z / (1 + z**2 / total)

    assert wilson_interval(correct, total, confidence) == pytest.approx(
        (center - half, center + half), abs=1e-9
    )


def test_crossval_interval_by_hand() -> None:
    """By hand: mean 0.88, s = 0.01, k = 5 folds, t(4) = 2.7764, so 2.7764 s sqrt(1/5 + 1/4)."""
    scores = [0.88 + 0.01 * z / math.sqrt(2.5) for z in (-2, -1, 0, 1, 2)]
    low, high = crossval_interval(scores, folds=5)
    half = 2.776445 * 0.01 * math.sqrt(1 / 5 + 1 / 4)
    assert (low, high) == pytest.approx((0.88 - half, 0.88 + half), abs=1e-7)


def test_many_repeats_do_not_remove_the_correlation_of_folds() -> None:
    scores = [0.87, 0.89] * 500
    low, high = crossval_interval(scores, folds=2)
    assert high - low == pytest.approx(2 * 1.962 * 0.01, rel=1e-2)


def test_prediction_interval_by_hand() -> None:
    """By hand: t(2) = 4.3027, s = 0.01, n = 3."""
    low, high = prediction_interval([0.87, 0.88, 0.89], fold_std=0.0, folds=5)
    assert high - low == pytest.approx(2 * 4.302653 * 0.01 * math.sqrt(4 / 3), abs=1e-6)
    assert (low + high) / 2 == pytest.approx(0.88)


def test_prediction_interval_of_equal_runs_has_the_width_of_a_t_interval() -> None:
    """By hand: t(4) = 2.7764, population std 0.002 of 5 folds, standard error 0.001."""
    low, high = prediction_interval([0.88, 0.88], fold_std=0.002, folds=5)
    assert (low, high) == pytest.approx((0.88 - 0.0027764, 0.88 + 0.0027764), abs=1e-6)
