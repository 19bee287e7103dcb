"""Intervals and tests of cross-validated scores, whose folds are correlated.

scipy is imported inside the functions, because it takes long to import.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class ResampledTest(NamedTuple):
    """The mean difference of two models over folds, its confidence interval and p-value."""

    difference: float
    low: float
    high: float
    p: float


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


def corrected_resampled_t(
    first: Sequence[float], second: Sequence[float], folds: int
) -> ResampledTest:
    """Corrected resampled t-test of two models; see `crossval_interval`.

    Args:
        first, second: one score for each fold of each repeat, in the same order.
    """
    from scipy.stats import t

    differences = np.subtract(first, second).tolist()
    mean, error = float(np.mean(differences)), _corrected_error(differences, folds)
    p = float(mean == 0)
    if error:
        p = float(2 * t.sf(abs(mean) / error, len(differences) - 1))
    return ResampledTest(mean, *crossval_interval(differences, folds), p)


def _corrected_error(scores: Sequence[float], folds: int) -> float:
    """Standard error of the mean score with Nadeau and Bengio's correction."""
    return float(np.std(scores, ddof=1) * np.sqrt(1 / len(scores) + 1 / (folds - 1)))
