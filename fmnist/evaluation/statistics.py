"""Confidence intervals and significance tests.

scipy and statsmodels are imported inside the functions: they take longer to import than everything
else that a training run needs to report its scores.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

# Differences with a (corrected) p-value below this level are called significant.
SIGNIFICANCE_LEVEL: Final = 0.05

EXACT: Final = "McNemar, exact"
CHI_SQUARED: Final = "McNemar, chi-squared with continuity correction"

# Below this number of discordant rows, McNemar's test uses the binomial distribution.
_EXACT_BELOW: Final = 25
_BOOTSTRAP_SAMPLES: Final = 10_000


class McNemarTest(NamedTuple):
    """A p-value and the form of the test: `EXACT` or `CHI_SQUARED`."""

    test: str
    p: float


class ResampledTest(NamedTuple):
    """The mean difference of two models over folds, its confidence interval and p-value."""

    difference: float
    low: float
    high: float
    p: float


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of an accuracy, `correct` of `total` images.

    The score interval without continuity correction: E. B. Wilson, "Probable Inference, the Law of
    Succession, and Statistical Inference", JASA 22, 1927. Its bounds lie within 0 to 1, and its
    width is not 0 at an accuracy of 0 or 1.
    """
    from scipy.stats import binomtest

    interval = binomtest(correct, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def crossval_interval(
    scores: Sequence[float], folds: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Confidence interval of a cross-validated score, by the corrected resampled t-test.

    The training rows of the folds overlap, so the scores are correlated and the plain t interval
    is too narrow. The variance s² / k is replaced by s² (1 / k + 1 / (folds - 1)); the second term
    is the ratio of held-out to training rows. C. Nadeau and Y. Bengio, "Inference for the
    Generalization Error", Machine Learning 52, 2003; with k = folds x repeats as in R. Bouckaert
    and E. Frank, "Evaluating the Replicability of Significance Tests for Comparing Learning
    Algorithms", 2004.

    Args:
        scores: one for each fold of each repeat, k >= 2.
        folds: the number of folds of one repeat.
    """
    from scipy.stats import t

    mean = float(np.mean(scores))
    half = float(t.ppf((1 + confidence) / 2, len(scores) - 1)) * _corrected_error(scores, folds)
    return mean - half, mean + half


def prediction_interval(
    earlier: Sequence[float], fold_std: float, folds: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval in which the mean of another cross-validation with the same options should lie.

    The t prediction interval of the earlier means, but at least as wide as a plain t interval of
    one mean: repetitions on one machine are often bit-identical, and an interval of width 0 would
    raise an alarm on every other machine.

    Args:
        earlier: means of earlier runs, at least two.
        fold_std: population standard deviation over the folds of an earlier run.
        folds: the number of folds of that run.
    """
    from scipy.stats import t

    runs = len(earlier)
    quantile = (1 + confidence) / 2
    predicted = t.ppf(quantile, runs - 1) * np.std(earlier, ddof=1) * np.sqrt(1 + 1 / runs)
    least = t.ppf(quantile, folds - 1) * fold_std / np.sqrt(folds - 1)
    half, mean = float(max(predicted, least)), float(np.mean(earlier))
    return mean - half, mean + half


def count_discordant(
    first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]
) -> tuple[int, int]:
    """Number of rows that only the first model, and only the second model, classifies correctly.

    Args:
        first, second: (n,) bool, whether each model classifies the row correctly.
    """
    return int((first & ~second).sum()), int((second & ~first).sum())


def mcnemar(only_first: int, only_second: int) -> McNemarTest:
    """McNemar's test of equal accuracy on the same rows.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947; continuity correction by A. Edwards, 1948.

    Args:
        only_first, only_second: see `count_discordant`.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    exact = only_first + only_second < _EXACT_BELOW
    result = test([[0, only_first], [only_second, 0]], exact=exact, correction=True)
    return McNemarTest(EXACT if exact else CHI_SQUARED, float(result.pvalue))


def paired_bootstrap_interval(
    only_first: int, only_second: int, total: int, seed: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Confidence interval of the difference of two accuracies on the same `total` rows.

    Percentile bootstrap: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993.
    Resampling rows is the same as drawing the counts of the three kinds of rows (only the first
    model correct, only the second, other) from a multinomial distribution, which is much faster.
    """
    shares = np.array([only_first, only_second, total - only_first - only_second]) / total
    rng = np.random.default_rng([seed, only_first, only_second, total])
    counts = rng.multinomial(total, shares, size=_BOOTSTRAP_SAMPLES)
    low, high = np.quantile(
        (counts[:, 0] - counts[:, 1]) / total, [(1 - confidence) / 2, (1 + confidence) / 2]
    )
    return float(low), float(high)


def corrected_resampled_t(
    first: Sequence[float], second: Sequence[float], folds: int
) -> ResampledTest:
    """Corrected resampled t-test of two models; see `crossval_interval` for the correction.

    Args:
        first, second: one score for each fold of each repeat, in the same order.
        folds: the number of folds of one repeat.
    """
    from scipy.stats import t

    differences = np.subtract(first, second).tolist()
    mean = float(np.mean(differences))
    low, high = crossval_interval(differences, folds)
    error = _corrected_error(differences, folds)
    if error == 0:
        return ResampledTest(mean, low, high, 0.0 if mean else 1.0)
    p = 2 * t.sf(abs(mean) / error, len(differences) - 1)
    return ResampledTest(mean, low, high, float(p))


def holm_correction(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple testing.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.
    """
    # statsmodels' multipletests would also do, but runs a garbage collection that takes 0.5 s.
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.asarray(p_values)[order] * factors)
    return [float(p) for p in corrected.clip(max=1.0)]


def _corrected_error(scores: Sequence[float], folds: int) -> float:
    """Standard error of the mean score with Nadeau and Bengio's correction."""
    return float(np.std(scores, ddof=1) * np.sqrt(1 / len(scores) + 1 / (folds - 1)))
