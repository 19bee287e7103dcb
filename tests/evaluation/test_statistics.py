"""Intervals and tests compared with independent calculations: closed forms, scipy, resampling."""

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from fmnist.evaluation.statistics import (
    CHI_SQUARED,
    EXACT,
    bootstrap_interval,
    count_discordant,
    holm,
    mcnemar,
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


def test_discordant_rows() -> None:
    first = np.array([True, True, True, False, False])
    second = np.array([True, False, False, True, False])
    assert count_discordant(first, second) == (2, 1)
    assert mcnemar(0, 0).p == 1.0
    assert bootstrap_interval(np.zeros(100), seed=0) == (0.0, 0.0)


def test_the_bootstrap_of_counts_equals_a_bootstrap_of_rows() -> None:
    """Compared with 4,000 samples of 2,000 rows."""
    rng = np.random.default_rng(1)
    rows = np.repeat([1.0, -1.0, 0.0], [170, 110, 1720])
    samples = rng.choice(rows, size=(4000, len(rows))).mean(axis=1)
    low, high = bootstrap_interval(rows, seed=0)
    assert (low, high) == pytest.approx(tuple(np.quantile(samples, [0.025, 0.975])), abs=7e-4)
    assert bootstrap_interval(rows, seed=0) == (low, high) != bootstrap_interval(rows, seed=1)


def test_holm_correction_by_hand() -> None:
    """Factors 4, 3, 2, 1 in ascending order, monotonic, at most 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(("correct", "total"), [(8, 10), (9087, 10_000), (1, 3), (0, 7), (7, 7)])
def test_wilson_interval_equals_that_of_statsmodels(correct: int, total: int) -> None:
    expected = proportion_confint(correct, total, method="wilson")
    assert wilson_interval(correct, total) == pytest.approx(expected, abs=1e-9)
