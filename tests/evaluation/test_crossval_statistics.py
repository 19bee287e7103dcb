"""Intervals and tests of cross-validated scores, compared with closed forms and scipy."""

import math

import pytest
from scipy import stats

from fmnist.evaluation.crossval_statistics import (
    corrected_resampled_t,
    crossval_interval,
    prediction_interval,
)


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


def test_many_repeats_do_not_remove_the_correlation_of_folds() -> None:
    scores = [0.87, 0.89] * 500
    low, high = crossval_interval(scores, folds=2)
    assert high - low == pytest.approx(2 * 1.962 * 0.01, rel=1e-2)


def test_prediction_interval_by_hand() -> None:
    """By hand: t(2) = 4.3027, s = 0.01, n = 3."""
    low, high = prediction_interval([0.87, 0.88, 0.89], fold_std=0.0, folds=5)
    assert high - low == pytest.approx(2 * 4.302653 * 0.01 * math.sqrt(4 / 3), abs=1e-6)
    assert (low + high) / 2 == pytest.approx(0.88)

    # Of equal runs, by hand: t(4) = 2.7764, population std 0.002 of 5 folds, standard error 0.001.
    low, high = prediction_interval([0.88, 0.88], fold_std=0.002, folds=5)
    assert (low, high) == pytest.approx((0.88 - 0.0027764, 0.88 + 0.0027764), abs=1e-6)
